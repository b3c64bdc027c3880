"""Etter: the workforce-data service behind the proxy; plain aiohttp and SQLAlchemy on PostgreSQL."""

__version__ = "0.1.0"
