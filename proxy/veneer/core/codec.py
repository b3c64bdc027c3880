"""Stored responses as bytes: MessagePack, versioned and checked. What cannot be read is a miss, never an error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Final

import msgspec

from veneer.core.entry import ByteSpan, CodedBody, Entry, Position
from veneer.core.fields import Fields, Pair, shared_text

FORMAT: Final = b"Vnr3"
"""Begins every stored value; another format is a miss. Since the 3 the forms coded by this cache lie there as well."""

CHECKSUM_BYTES: Final = 12
COMPRESS_FROM_BYTES: Final = 1024
MAX_BODY_BYTES: Final = 1 << 30
FORM_FOR_BODY_BYTES: Final = 64 * 1024
"""A longer body is compressed beside its forms: codings are slow to decode, compared with PACKED."""
_PAYLOAD: Final = len(FORMAT) + CHECKSUM_BYTES

PACKED: Final = "zstd"
"""The coding in which a body is compressed that no form of which is at hand."""

Compress = Callable[[bytes], bytes]
"""Compresses into PACKED."""
Decompress = Callable[[str, bytes, int], bytes | None]
"""Given the content coding, the coded bytes and the length to expect; None when they are damaged."""


class _Record(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, gc=False):
    """The layout of this format.

    `body` is in the content coding `packed_in`, "" where it is as it is; `length` is that of the body itself. `coded`
    are the forms of this cache: coding, bytes, whether recompressed. Of one that is empty `body` has the bytes.
    """

    status: int
    reason: str
    fields: Sequence[Pair]
    body: bytes
    packed_in: str
    length: int
    coded: Sequence[tuple[str, bytes, bool]]
    request_time: float
    response_time: float
    uri: str
    epoch: str
    seq: int
    vary: Sequence[tuple[str, str | None]]
    tags: Sequence[str]
    span: tuple[int, int, int | None, str | None] | None


_decoder: Final = msgspec.msgpack.Decoder(_Record)
_encoder: Final = msgspec.msgpack.Encoder()


def pack(entry: Entry, compress: Compress, compress_over: int = COMPRESS_FROM_BYTES) -> bytes:
    """`entry` as bytes. A body of more than `compress_over` is kept as the smallest of its forms, or compressed."""
    body, packed_in, fields = entry.body, "", entry.fields
    coded: list[tuple[str, bytes, bool]] = [(form.coding, form.body, form.recompressed) for form in entry.coded]
    if len(body) > compress_over and "content-encoding" not in fields.joined:
        smallest = min(coded, key=_length) if coded and len(body) <= FORM_FOR_BODY_BYTES else None
        if smallest is not None:
            coding, packed, recompressed = smallest
            coded[coded.index(smallest)] = (coding, b"", recompressed)
        else:
            coding, packed = PACKED, compress(body)
        if smallest is not None or len(packed) < len(body):
            body, packed_in = packed, coding
    span = entry.span
    record = _Record(
        entry.status,
        entry.reason,
        fields.pairs,
        body,
        packed_in,
        len(entry.body),
        coded,
        entry.request_time,
        entry.response_time,
        entry.uri,
        entry.born.epoch,
        entry.born.seq,
        entry.vary,
        entry.tags,
        None if span is None else (span.first, span.last, span.complete, span.asked),
    )
    payload = _encoder.encode(record)
    return b"%b%b%b" % (FORMAT, _checksum(payload), payload)


def _length(form: tuple[str, bytes, bool]) -> int:
    return len(form[1])


def unpack(data: bytes, decompress: Decompress) -> Entry | None:
    """The entry that `pack` wrote, or None when the bytes are of another format or damaged."""
    payload = data[_PAYLOAD:]
    if not data.startswith(FORMAT) or data[len(FORMAT) : _PAYLOAD] != _checksum(payload):
        return None
    try:
        record: _Record = _decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError):  # the second for a text that is no UTF-8
        return None
    raw, length, span = record.body, record.length, record.span
    body: bytes | None = raw
    if record.packed_in:
        body = decompress(record.packed_in, raw, length) if 0 <= length <= MAX_BODY_BYTES else None
    if body is None or len(body) != length:
        return None
    return Entry(
        record.status,
        shared_text(record.reason),
        Fields(record.fields).shared(),
        body,
        record.request_time,
        record.response_time,
        record.uri,
        Position(record.epoch, record.seq),
        tuple(record.vary),
        tuple(record.tags),
        None if span is None else ByteSpan(*span),
        tuple([CodedBody(coding, coded or raw, recompressed) for coding, coded, recompressed in record.coded]),
    )


def _checksum(payload: bytes) -> bytes:
    return blake2b(payload, digest_size=CHECKSUM_BYTES).digest()
