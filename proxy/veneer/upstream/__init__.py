"""Connections to the backend: streaming, timeouts, retries, health, upgrades."""
