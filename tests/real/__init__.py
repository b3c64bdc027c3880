"""Real programs at pinned versions, each run straight to its server and through Veneer, and compared."""
