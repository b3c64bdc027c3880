"""Stored responses as bytes: MessagePack, versioned and checked. What cannot be read is a miss, never an error."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from veneer.core.entry import ByteSpan, CodedBody, Entry, Position
from veneer.core.fields import Fields, shared_text
from veneer.core.stored_record import StoredRecord, decode_record, encode_record

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
    record = StoredRecord(
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
    payload = encode_record(record)
    return b"%b%b%b" % (FORMAT, _checksum(payload), payload)


def _length(form: tuple[str, bytes, bool]) -> int:
    return len(form[1])


def unpack(data: bytes, decompress: Decompress) -> Entry | None:
    """The entry that `pack` wrote, or None when the bytes are of another format or damaged."""
    payload = data[_PAYLOAD:]
    if not data.startswith(FORMAT) or data[len(FORMAT) : _PAYLOAD] != _checksum(payload):
        return None
    record = decode_record(payload)
    if record is None:
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
