"""The database room: tables, engine, pool, and the threads that talk to PostgreSQL."""
