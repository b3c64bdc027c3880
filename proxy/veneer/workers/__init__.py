"""Several worker processes behind one port and one admin listener, and the supervisor that keeps them."""
