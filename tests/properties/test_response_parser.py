"""Cutting a response into segments anywhere gives the same events."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from veneer.http1.framing import MalformedError
from veneer.http1.parser import ResponseParser

HEADS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nA: \xfc\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 \r\n\r\nHTTP/1.1 404 Not Found\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    b"HTTP/1.1 200 OK\nA: b\r\n\r\n",
]
TAILS = [
    b"",
    b"hello world!",
    b"5\r\nhello\r\n7;x=y\r\n world!\r\n0\r\n\r\n",
    b"5\r\nhello\r\n0\r\nSum: 1\r\nOther: 2\r\n\r\nexcess",
    b"5\r\nhelloX\r\n",
    b"5\r\nhello\r\n5",
    b"5 ;q\r\nhello\r\n0\r\n\r\n",
    b"g\r\n",
    b"hello world! and more\r\n\r\n",
]

Events = tuple[object, ...]


def events(segments: list[bytes], *, cutting: bool = False) -> Events:
    """What comes of the segments; `cutting` takes the body where it lies, as far as that goes."""
    parser = ResponseParser(max_head_bytes=200, max_fields=8)
    parser.begin(for_head=False, upgrading=True)
    error = ""
    try:
        for segment in segments:
            pieces, done = parser.split_body(memoryview(segment)) if cutting else ([], 0)
            parser.pieces += map(bytes, pieces)
            parser.feed(segment[done:])
    except MalformedError:
        error = "malformed"
    heads = tuple(parser.interims), parser.final
    if error:
        return *heads, error
    before = parser.part
    whole = parser.end()
    return *heads, b"".join(parser.pieces), parser.trailers, before, whole, parser.reusable


@given(
    head=st.sampled_from(HEADS),
    tail=st.one_of(st.sampled_from(TAILS), st.binary(max_size=40)),
    mangled=st.tuples(st.integers(0, 200), st.binary(max_size=3)),
    cuts=st.lists(st.integers(0, 200), max_size=12),
    mangle=st.booleans(),
)
def test_segments_do_not_matter(
    head: bytes, tail: bytes, mangled: tuple[int, bytes], cuts: list[int], mangle: bool
) -> None:
    raw = head + tail
    if mangle:
        place, inserted = mangled
        raw = raw[:place] + inserted + raw[place:]
    whole = events([raw])
    bounds = sorted({0, len(raw), *(cut for cut in cuts if cut < len(raw))})
    segments = [raw[start:end] for start, end in itertools.pairwise(bounds)]
    assert events(segments) == whole
    assert events(segments, cutting=True) == whole
    assert events([raw[place : place + 1] for place in range(len(raw))]) == whole
