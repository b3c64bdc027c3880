"""Veneer beside nginx, Varnish and a FastAPI service: the same origin, the same requests, one core each."""
