"""A shop whose customers sign in, as Django services are written. Nothing in it knows of a cache."""
