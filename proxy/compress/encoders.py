"""The content codings br (RFC 7932), zstd (RFC 8878, RFC 9659) and gzip (RFC 1952), for whole bodies and for streams.

The same body, coding and level give the same octets in every process, so that validators per coding agree.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import brotli

from proxy.ports import StreamEncoder

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_GZIP_WBITS = 31  # gzip framing; zlib leaves the time of modification at 0
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
        self._encoder = zlib.compressobj(level, zlib.DEFLATED, _GZIP_WBITS)

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
    return zlib.compress(body, level, _GZIP_WBITS)


@dataclass(frozen=True, slots=True)
class Coding:
    """One content coding: the levels it knows, from which level on it is too slow for the event loop, and how it codes.

    zstd ends at 19: what is above needs windows that decoders of HTTP do not have to offer (RFC 9659).
    """

    lowest: int
    highest: int
    slow_from: int
    encode: Callable[[bytes, int], bytes]
    stream: Callable[[int], StreamEncoder]

    def level(self, wanted: int) -> int:
        """The nearest level there is."""
        return min(max(wanted, self.lowest), self.highest)


def coding(name: str) -> Coding:
    """The coding of that name. Raises ValueError where there is none."""
    match name:
        case "br":
            return Coding(0, 11, 8, _brotli, _BrotliStream)
        case "zstd":
            return Coding(1, 19, 12, _zstd, _ZstdStream)
        case "gzip":
            return Coding(1, 9, 10, _gzip, _GzipStream)
        case _:
            msg = f"unknown content coding {name!r}: br, zstd and gzip are known"
            raise ValueError(msg)
