"""Stored responses as bytes for Redis: the core's format behind the number of the entry's birth."""

from __future__ import annotations

import asyncio
import sys

from veneer.core.codec import COMPRESS_FROM_BYTES, pack, unpack
from veneer.core.entry import Entry

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

POSITION_PREFIX_BYTES = 14
OFF_LOOP_FROM_BYTES = 256 * 1024
_LEVEL = 3


async def to_bytes(entry: Entry, compress_over_bytes: int = COMPRESS_FROM_BYTES) -> bytes:
    """The entry for the shared store; a large one is compressed beside the event loop."""
    birth = b"%014d" % entry.born.seq
    if entry.size_bytes < OFF_LOOP_FROM_BYTES:
        return birth + pack(entry, _compress, compress_over_bytes)
    return birth + await asyncio.to_thread(pack, entry, _compress, compress_over_bytes)


async def from_bytes(raw: bytes) -> Entry | None:
    """The entry, or None when the bytes are damaged or of another version."""
    if len(raw) < OFF_LOOP_FROM_BYTES:
        return unpack(raw[POSITION_PREFIX_BYTES:], _decompress)
    return await asyncio.to_thread(unpack, raw[POSITION_PREFIX_BYTES:], _decompress)


def _compress(body: bytes) -> bytes:
    return zstd.compress(body, level=_LEVEL)


def _decompress(packed: bytes, length: int) -> bytes | None:
    """At most one byte more than announced is ever made, whatever the packed bytes claim."""
    try:
        body = zstd.ZstdDecompressor().decompress(packed, max_length=length + 1)
    except zstd.ZstdError:
        return None
    return body if len(body) == length else None
