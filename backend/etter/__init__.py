"""Etter: the workforce-data service behind the proxy; plain aiohttp and SQLAlchemy on PostgreSQL."""
