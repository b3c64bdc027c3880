"""Zstandard decompression, from the standard library where it has it (Python 3.14)."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 14):
    from compression.zstd import decompress
else:
    from backports.zstd import decompress

__all__ = ["decompress"]
