"""Stored responses as bytes for Redis: the core's format behind the number of the entry's birth."""

from __future__ import annotations

import asyncio
import sys
from typing import Final

from veneer.compress.coders import decoded
from veneer.core.codec import COMPRESS_FROM_BYTES, Compress, pack, unpack
from veneer.core.entry import Entry

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

POSITION_PREFIX_BYTES: Final = 14
OFF_LOOP_FROM_BYTES: Final = 256 * 1024
_LEVEL: Final = 3
_kept = zstd.ZstdCompressor(level=_LEVEL)
"""To make one takes longer than to compress a small body."""


def _compress(body: bytes) -> bytes:
    return zstd.compress(body, level=_LEVEL)


def _compress_here(body: bytes) -> bytes:
    """In the loop's thread alone."""
    return _kept.compress(body, zstd.ZstdCompressor.FLUSH_FRAME)


def to_bytes_now(
    entry: Entry, compress_over_bytes: int = COMPRESS_FROM_BYTES, compress: Compress = _compress_here
) -> bytes:
    """The entry for the shared store, made here and now; in another thread than the loop's with another `compress`."""
    return b"%014d" % entry.born.seq + pack(entry, compress, compress_over_bytes)


async def to_bytes(entry: Entry, compress_over_bytes: int = COMPRESS_FROM_BYTES) -> bytes:
    """The entry for the shared store; a large one is compressed beside the event loop."""
    if entry.size_bytes < OFF_LOOP_FROM_BYTES:
        return to_bytes_now(entry, compress_over_bytes)
    return await asyncio.to_thread(to_bytes_now, entry, compress_over_bytes, _compress)


async def from_bytes(raw: bytes) -> Entry | None:
    """The entry, or None when the bytes are damaged or of another version."""
    if len(raw) < OFF_LOOP_FROM_BYTES:
        return from_bytes_now(raw)
    return await asyncio.to_thread(from_bytes_now, raw)


def from_bytes_now(raw: bytes) -> Entry | None:
    """As `from_bytes`, here and now."""
    return unpack(raw[POSITION_PREFIX_BYTES:], _decompress)


def _decompress(coding: str, packed: bytes, length: int) -> bytes | None:
    """At most one byte more than announced is ever made, whatever the packed bytes claim."""
    body = decoded(coding, packed, length + 1)
    return body if body is not None and len(body) == length else None
