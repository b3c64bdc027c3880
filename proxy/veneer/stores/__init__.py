"""Where entries and invalidations are kept: memory, Redis, both, and the invalidation log."""
