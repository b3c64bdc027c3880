"""Decoders, other than the code under test, for what comes out of it."""

from __future__ import annotations

import gzip
import sys
import zlib

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def decode(coding: str, body: bytes) -> bytes:
    """The identity body."""
    match coding:
        case "br":
            return bytes(brotli.decompress(body))
        case "zstd":
            return zstd.decompress(body)
        case "gzip":
            return gzip.decompress(body)
        case "identity" | "":
            return body
        case _:
            raise ValueError(coding)


def decode_so_far(coding: str, body: bytes) -> bytes:
    """What a client can show of a coded body that has not ended."""
    match coding:
        case "br":
            decoder = brotli.Decompressor()
            shown = [decoder.process(body)]
            while shown[-1]:  # this decoder keeps what did not fit its buffer until it is asked again
                shown.append(decoder.process(b""))
            return b"".join(shown)
        case "zstd":
            return zstd.ZstdDecompressor().decompress(body)
        case "gzip":
            return zlib.decompressobj(31).decompress(body)
        case _:
            raise ValueError(coding)
