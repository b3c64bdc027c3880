"""The admin listener: health, metrics, purge, statistics. Its own socket, never the clients'."""
