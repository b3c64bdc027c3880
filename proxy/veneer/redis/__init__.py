"""Redis as stores and limits share it: where it is, connections, scripts, the names of keys."""
