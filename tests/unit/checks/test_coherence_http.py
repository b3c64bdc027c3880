"""The client of the checkers: bodies in chunks, however they arrive."""

from __future__ import annotations

from checks.coherence.http import dechunked

CHUNKED = b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n"


def test_a_body_in_chunks_is_whole_only_with_its_last_chunk() -> None:
    assert dechunked(CHUNKED) == b"abc0123456789"
    assert [dechunked(CHUNKED[:length]) for length in range(len(CHUNKED))] == [None] * len(CHUNKED)


def test_no_chunks_are_an_empty_body() -> None:
    assert dechunked(b"0\r\n\r\n") == b""
