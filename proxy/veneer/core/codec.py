"""Stored responses as bytes: MessagePack, versioned and checked. What cannot be read is a miss, never an error."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

import msgspec

from veneer.core.entry import ByteSpan, Entry, Position
from veneer.core.fields import Fields

FORMAT = b"Vnr2"
"""Begins every stored value; another format is a miss. The 2 stands for URIs whose paths are folded (core.percent): an
older value would be invalidated under names that nobody says any more."""

CHECKSUM_BYTES = 12
COMPRESS_FROM_BYTES = 1024
MAX_BODY_BYTES = 1 << 30

Compress = Callable[[bytes], bytes]
Decompress = Callable[[bytes, int], bytes | None]
"""Given the compressed bytes and the length to expect; None when they are damaged."""


class _Record(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """The layout of this format. `packed_from` is the body's length before compression, None where it is as it is."""

    status: int
    reason: str
    fields: list[tuple[str, str]]
    body: bytes
    packed_from: int | None
    request_time: float
    response_time: float
    uri: str
    epoch: str
    seq: int
    vary: list[tuple[str, str | None]]
    tags: list[str]
    span: tuple[int, int, int | None, str | None] | None


_decoder = msgspec.msgpack.Decoder(_Record)
_encoder = msgspec.msgpack.Encoder()


def pack(entry: Entry, compress: Compress, compress_over: int = COMPRESS_FROM_BYTES) -> bytes:
    """`entry` as bytes, a body of more than `compress_over` compressed.

    Bodies coded by this cache are not kept: they can be made again.
    """
    body, packed_from = entry.body, None
    if len(body) > compress_over and "content-encoding" not in entry.fields:
        packed = compress(body)
        if len(packed) < len(body):
            body, packed_from = packed, len(body)
    span = entry.span
    record = _Record(
        status=entry.status,
        reason=entry.reason,
        fields=list(entry.fields.pairs),
        body=body,
        packed_from=packed_from,
        request_time=entry.request_time,
        response_time=entry.response_time,
        uri=entry.uri,
        epoch=entry.born.epoch,
        seq=entry.born.seq,
        vary=list(entry.vary),
        tags=list(entry.tags),
        span=None if span is None else (span.first, span.last, span.complete, span.asked),
    )
    payload = _encoder.encode(record)
    return FORMAT + _checksum(payload) + payload


def unpack(data: bytes, decompress: Decompress) -> Entry | None:
    """The entry that `pack` wrote, or None when the bytes are of another format or damaged."""
    start = len(FORMAT) + CHECKSUM_BYTES
    if data[: len(FORMAT)] != FORMAT:
        return None
    payload = data[start:]
    if data[len(FORMAT) : start] != _checksum(payload):
        return None
    try:
        record = _decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError):  # the second for a text that is no UTF-8
        return None
    body: bytes | None = record.body
    if record.packed_from is not None:
        body = decompress(record.body, record.packed_from) if 0 <= record.packed_from <= MAX_BODY_BYTES else None
        if body is None or len(body) != record.packed_from:
            return None
    assert body is not None
    return Entry(
        status=record.status,
        reason=record.reason,
        fields=Fields(record.fields),
        body=body,
        request_time=record.request_time,
        response_time=record.response_time,
        uri=record.uri,
        born=Position(record.epoch, record.seq),
        vary=tuple(record.vary),
        tags=tuple(record.tags),
        span=None if record.span is None else ByteSpan(*record.span),
    )


def _checksum(payload: bytes) -> bytes:
    return blake2b(payload, digest_size=CHECKSUM_BYTES).digest()
