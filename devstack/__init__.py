"""Real PostgreSQL, Redis, backend and proxy processes, for `make run`, tests and benchmarks."""
