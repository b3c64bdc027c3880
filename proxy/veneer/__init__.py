"""Veneer: a sidecar reverse proxy that caches, compresses and limits in front of an unchanged service."""
