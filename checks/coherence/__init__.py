"""A checker that tries hard to make the cache lie to a writer: real processes, faults in turn, every answer judged."""
