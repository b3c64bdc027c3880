"""Admission: rate limits in memory and in Redis, in-flight limits."""
