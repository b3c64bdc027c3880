"""Real processes, real PostgreSQL and Redis: what a user sees, and what happens when a part fails."""
