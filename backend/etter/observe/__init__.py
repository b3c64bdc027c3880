"""Logs, metrics, and the optional tracing and error tracking."""
