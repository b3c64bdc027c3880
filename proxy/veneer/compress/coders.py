"""How each content coding of `core.codings` is made, for whole bodies and for streams, and how it is read back.

The same body, coding and level give the same bytes in every process of one architecture, so that validators per coding
agree. The shared store keeps a body as its smallest coded form, so what is made here has to be readable here.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import brotli
from isal import isal_zlib

from veneer.core.codings import LEVELS, Levels
from veneer.ports import StreamEncoder

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_GZIP = 16  # gzip framing where it is added to the window's logarithm; zlib leaves the time of modification at 0
_GZIP_LEAST_WINDOW = 9
_GZIP_LOOKAHEAD = 262
_GZIP_LEAST_MEMORY = 5
_ISAL_TO: Final = 2
"""The levels up to this are ISA-L's, those that write the same bytes on all processors of an architecture (its third
does not). A body that somebody waits for takes half of zlib's time at 2 KB and a fifth at 20 KB, and is no longer."""
_STREAM_BROTLI_WINDOW_LOG = 18
_STREAM_ZSTD_WINDOW_LOG = 20
"""Streams keep their window in memory for as long as the client takes: 256 KB and 1 MB rather than 4 and 8."""


class _BrotliStream:
    def __init__(self, level: int) -> None:
        self._encoder = brotli.Compressor(quality=level, lgwin=_STREAM_BROTLI_WINDOW_LOG)

    def feed(self, data: bytes) -> bytes:
        return bytes(self._encoder.process(data))

    def flush(self) -> bytes:
        return bytes(self._encoder.flush())

    def finish(self) -> bytes:
        return bytes(self._encoder.finish())


class _ZstdStream:
    def __init__(self, level: int) -> None:
        parameter = zstd.CompressionParameter
        options: dict[int, int] = {parameter.compression_level: level, parameter.window_log: _STREAM_ZSTD_WINDOW_LOG}
        self._encoder = zstd.ZstdCompressor(options=options)

    def feed(self, data: bytes) -> bytes:
        return self._encoder.compress(data)

    def flush(self) -> bytes:
        return self._encoder.flush(self._encoder.FLUSH_BLOCK)

    def finish(self) -> bytes:
        return self._encoder.flush(self._encoder.FLUSH_FRAME)


class _GzipStream:
    def __init__(self, level: int) -> None:
        make = isal_zlib.compressobj if level <= _ISAL_TO else zlib.compressobj
        self._encoder = make(level, zlib.DEFLATED, _GZIP + zlib.MAX_WBITS)

    def feed(self, data: bytes) -> bytes:
        return self._encoder.compress(data)

    def flush(self) -> bytes:
        return self._encoder.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        return self._encoder.flush(zlib.Z_FINISH)


def _brotli(body: bytes, level: int) -> bytes:
    return bytes(brotli.compress(body, quality=level))


def _zstd(body: bytes, level: int) -> bytes:
    return zstd.compress(body, level)


def _gzip(body: bytes, level: int) -> bytes:
    if level <= _ISAL_TO:
        return isal_zlib.compress(body, level, _GZIP + zlib.MAX_WBITS)
    # As many symbols as the body may have (2 to the power of the memory level + 6), and a window that holds it with the
    # lookahead: to lay out room for more would take longer than to code a short body. The bytes depend on nothing but
    # body and level all the same.
    memory = min(max((len(body) - 1).bit_length() - 6, _GZIP_LEAST_MEMORY), zlib.DEF_MEM_LEVEL)
    window = min(max((len(body) + _GZIP_LOOKAHEAD).bit_length(), _GZIP_LEAST_WINDOW), zlib.MAX_WBITS)
    encoder = zlib.compressobj(level, zlib.DEFLATED, _GZIP + window, memory)
    return encoder.compress(body) + encoder.flush()


def _from_brotli(coded: bytes, most: int) -> bytes:
    return bytes(brotli.Decompressor().process(coded, output_buffer_limit=most))


def _from_zstd(coded: bytes, most: int) -> bytes:
    return zstd.ZstdDecompressor().decompress(coded, max_length=most)


def _from_gzip(coded: bytes, most: int) -> bytes:
    return zlib.decompressobj(_GZIP + zlib.MAX_WBITS).decompress(coded, most)


_DAMAGED: Final = (brotli.error, zstd.ZstdError, zlib.error)
"""What `Coding.decode` raises."""


@dataclass(frozen=True, slots=True)
class Coding:
    """How one content coding is made, whole bodies and streams, at one of its levels; and how it is read back.

    `decode` is given the coded bytes and how many bytes of the body to make at most, one or more.
    """

    levels: Levels
    encode: Callable[[bytes, int], bytes]
    stream: Callable[[int], StreamEncoder]
    decode: Callable[[bytes, int], bytes]


_CODINGS: Final = {
    "br": Coding(LEVELS["br"], _brotli, _BrotliStream, _from_brotli),  # RFC 7932
    "zstd": Coding(LEVELS["zstd"], _zstd, _ZstdStream, _from_zstd),  # RFC 8878, RFC 9659
    "gzip": Coding(LEVELS["gzip"], _gzip, _GzipStream, _from_gzip),  # RFC 1952
}


def coding(name: str) -> Coding:
    """The coding of that name. Raises ValueError where there is none."""
    found = _CODINGS.get(name)
    if found is None:
        msg = f"unknown content coding {name!r}: known are {', '.join(_CODINGS)}"
        raise ValueError(msg)
    return found


def decoded(name: str, coded: bytes, most: int) -> bytes | None:
    """The body, or its beginning: whatever `coded` claims, no more than `most` bytes (one or more) are made.

    None where `coded` is damaged, or there is no coding of that name.
    """
    how = _CODINGS.get(name)
    try:
        return None if how is None else how.decode(coded, most)
    except _DAMAGED:
        return None
