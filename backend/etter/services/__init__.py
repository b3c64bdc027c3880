"""Business logic: what callers may do, and which cache groups a change touches. No SQL and no HTTP here."""
