"""Content codings, for whole bodies and for streams."""
