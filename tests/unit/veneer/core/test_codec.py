"""Stored bytes: what was written is read, all else is a miss."""

import zlib
from dataclasses import replace

import msgspec
import pytest

from tests.support.exchanges import DATE, dated, entry_of, request
from veneer.core import codec
from veneer.core.entry import ByteSpan, CodedBody
from veneer.core.fields import Fields


def decompress(coding: str, data: bytes, length: int) -> bytes | None:
    """Every coding is zlib's here but for one that nobody knows."""
    if coding == "unknown":
        return None
    try:
        return zlib.decompressobj().decompress(data, length + 1)
    except zlib.error:
        return None


ENTRY = replace(
    entry_of(dated(("Cache-Control", "max-age=1"), ("X", "\xe4\xff"), ("Vary", "A, B")), request(("A", "1"))),
    tags=("t:1", "u"),
    span=ByteSpan(0, 9, None, "bytes=0-"),
)


def test_round_trip() -> None:
    assert codec.unpack(codec.pack(ENTRY, zlib.compress), decompress) == ENTRY


@pytest.mark.parametrize("size", [5, 5_000, codec.FORM_FOR_BODY_BYTES + 1])
def test_coded_forms_are_kept(size: int) -> None:
    body = b"a" * size
    forms = (CodedBody("br", zlib.compress(body, 1) + b"+"), CodedBody("gzip", zlib.compress(body), recompressed=True))
    with_coded = replace(ENTRY, body=body, coded=forms)
    assert codec.unpack(codec.pack(with_coded, zlib.compress), decompress) == with_coded


def test_a_body_is_not_compressed_where_a_form_of_it_is_kept() -> None:
    def compress(body: bytes) -> bytes:
        raise AssertionError

    body = b"a" * 5_000
    form = CodedBody("br", zlib.compress(body))
    entry = replace(ENTRY, body=body, coded=(form, CodedBody("gzip", form.body * 2)))
    packed = codec.pack(entry, compress)
    assert packed.count(form.body) == 3, "the smaller one once"
    assert codec.unpack(packed, decompress) == entry


def test_a_form_in_a_coding_that_is_not_known_is_a_miss() -> None:
    entry = replace(ENTRY, body=b"a" * 5_000, coded=(CodedBody("unknown", b"x"),))
    assert codec.unpack(codec.pack(entry, zlib.compress), decompress) is None


@pytest.mark.parametrize(
    ("size", "fields", "smaller"),
    [(1024, [], False), (1025, [], True), (50_000, [], True), (50_000, [("Content-Encoding", "br")], False)],
)
def test_larger_bodies_are_compressed_unless_coded(size: int, fields: list[tuple[str, str]], smaller: bool) -> None:
    entry = replace(ENTRY, body=b"a" * size, fields=Fields([DATE, *fields]))
    packed = codec.pack(entry, zlib.compress)
    assert (len(packed) < size) is smaller
    assert codec.unpack(packed, decompress) == entry


def test_other_formats_and_damage_are_misses() -> None:
    packed = codec.pack(replace(ENTRY, body=b"a" * 5000), zlib.compress)
    for damaged in (b"", b"x", b"Vnr2" + packed[4:], packed[:-1], packed + b"\0", packed[:30] + b"\0" + packed[31:]):
        assert codec.unpack(damaged, decompress) is None
    assert codec.unpack(packed, lambda _coding, _data, _length: None) is None
    assert codec.unpack(packed, lambda _coding, _data, _length: b"short") is None


def test_a_valid_checksum_over_something_else_is_a_miss() -> None:
    payload = msgspec.msgpack.encode([200, "OK"])
    assert codec.unpack(codec.FORMAT + codec._checksum(payload) + payload, decompress) is None
