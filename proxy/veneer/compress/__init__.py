"""Content codings: br, zstd and gzip, for whole bodies and for streams."""
