"""HTTP caching as pure functions: no I/O, no clock, no logging, no randomness."""
