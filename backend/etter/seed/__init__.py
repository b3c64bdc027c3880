"""Deterministic Etter data in three sizes, loaded with COPY."""
