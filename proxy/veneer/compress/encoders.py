"""The content codings br (RFC 7932), zstd (RFC 8878, RFC 9659) and gzip (RFC 1952), for whole bodies and for streams.

The same body, coding and level give the same bytes in every process, so that validators per coding agree.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import brotli

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
        self._encoder = zlib.compressobj(level, zlib.DEFLATED, _GZIP + zlib.MAX_WBITS)

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
    # As many symbols as the body may have (2 to the power of the memory level + 6), and a window that holds it with the
    # lookahead: to lay out room for more would take longer than to code a short body. The bytes depend on nothing but
    # body and level all the same.
    memory = min(max((len(body) - 1).bit_length() - 6, _GZIP_LEAST_MEMORY), zlib.DEF_MEM_LEVEL)
    window = min(max((len(body) + _GZIP_LOOKAHEAD).bit_length(), _GZIP_LEAST_WINDOW), zlib.MAX_WBITS)
    encoder = zlib.compressobj(level, zlib.DEFLATED, _GZIP + window, memory)
    return encoder.compress(body) + encoder.flush()


@dataclass(frozen=True, slots=True)
class Coding:
    """How one content coding is made: whole bodies and streams, at one of its levels."""

    levels: Levels
    encode: Callable[[bytes, int], bytes]
    stream: Callable[[int], StreamEncoder]


_ENCODERS: dict[str, tuple[Callable[[bytes, int], bytes], Callable[[int], StreamEncoder]]] = {
    "br": (_brotli, _BrotliStream),
    "zstd": (_zstd, _ZstdStream),
    "gzip": (_gzip, _GzipStream),
}

_CODINGS = {name: Coding(levels, *_ENCODERS[name]) for name, levels in LEVELS.items()}


def coding(name: str) -> Coding:
    """The coding of that name. Raises ValueError where there is none."""
    found = _CODINGS.get(name)
    if found is None:
        msg = f"unknown content coding {name!r}: known are {', '.join(_CODINGS)}"
        raise ValueError(msg)
    return found
