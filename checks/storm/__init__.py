"""Faults in turn on real processes: what clients get meanwhile, beside nginx and HAProxy with equal settings."""
