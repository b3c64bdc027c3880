"""The response parser: framing, strictness, and indifference to where segments are cut."""

from __future__ import annotations

import pytest

from veneer.http1.framing import MalformedError
from veneer.http1.parser import MessagePart, ResponseParser


def parse(raw: bytes, *, for_head: bool = False, upgrading: bool = False, end: bool = True) -> ResponseParser:
    parser = ResponseParser(max_head_bytes=1000, max_fields=10)
    parser.begin(for_head=for_head, upgrading=upgrading)
    parser.feed(raw)
    if end:
        parser.end()
    return parser


def body(parser: ResponseParser) -> bytes:
    return b"".join(parser.pieces)


def test_a_body_of_known_length() -> None:
    parser = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-Y:  a b \t\r\nEmpty:\r\n\r\nabc", end=False)
    assert parser.final is not None
    assert parser.final.head.status == 200
    assert parser.final.head.reason == "OK"
    assert parser.final.head.fields.pairs == (("Content-Length", "3"), ("X-Y", "a b"), ("Empty", ""))
    assert body(parser) == b"abc"
    assert parser.reusable


def test_bytes_beyond_ascii_stay_as_they_are() -> None:
    parser = parse(b'HTTP/1.1 200 \xc3\xa4\r\nETag: "abc\xfc\x80"\r\nContent-Length: 0\r\n\r\n')
    assert parser.final is not None
    assert parser.final.head.fields.raw()[0] == (b"ETag", b'"abc\xfc\x80"')
    assert parser.final.head.reason.encode("latin-1") == b"\xc3\xa4"


def test_chunks_extensions_and_trailers() -> None:
    parser = parse(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nTrailer: X-Sum\r\n\r\n"
        b'3;a=b;c="d"\r\nabc\r\n00A\r\n0123456789\r\n0\r\nX-Sum: 7\r\nContent-Length: 9\r\n\r\n',
        end=False,
    )
    assert body(parser) == b"abc0123456789"
    assert parser.trailers.pairs == (("X-Sum", "7"),)
    assert parser.reusable
    assert parser.final is not None
    assert "transfer-encoding" not in parser.final.head.fields


def test_a_body_until_close() -> None:
    parser = parse(b"HTTP/1.1 200 OK\r\n\r\nabc", end=False)
    assert parser.part is MessagePart.UNTIL_CLOSE
    assert parser.end()
    assert body(parser) == b"abc"


def test_an_unknown_transfer_coding_is_read_to_the_end_and_dropped() -> None:
    parser = parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: foo\r\nA: b\r\n\r\nabc")
    assert body(parser) == b"abc"
    assert parser.final is not None
    assert parser.final.head.fields.pairs == (("A", "b"),)


def test_bytes_past_the_announced_length_are_not_another_response() -> None:
    parser = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789HTTP/1.1 200 OK\r\n\r\n")
    assert body(parser) == b"0123456789"
    assert parser.part is MessagePart.DONE
    assert not parser.reusable


@pytest.mark.parametrize(
    ("raw", "for_head"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", False),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", False),
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", False),
    ],
)
def test_responses_without_a_body(raw: bytes, for_head: bool) -> None:
    parser = parse(raw, for_head=for_head, end=False)
    assert parser.part is MessagePart.DONE
    assert parser.reusable
    assert not parser.pieces


def test_several_interim_responses_in_one_segment() -> None:
    parser = parse(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
    )
    assert [head.status for head in parser.interims] == [103, 102]
    assert parser.interims[0].fields.get("link") == "</a>"
    assert body(parser) == b"x"


def test_switching_protocols_keeps_the_first_bytes_of_the_stream() -> None:
    parser = parse(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x00\r\n",
        upgrading=True,
        end=False,
    )
    assert parser.part is MessagePart.TUNNEL
    assert body(parser) == b"\x81\x00\r\n"
    assert parser.final is not None
    assert parser.final.head.fields.pairs == (("Upgrade", "websocket"),)


@pytest.mark.parametrize(
    ("raw", "persistent"),
    [
        (b"HTTP/1.1 204 x\r\nConnection: close\r\n\r\n", False),
        (b"HTTP/1.1 204 x\r\nConnection: Keep-Alive\r\n\r\n", True),
        (b"HTTP/1.0 204 x\r\n\r\n", False),
        (b"HTTP/1.0 204 x\r\nConnection: keep-alive\r\n\r\n", True),
    ],
)
def test_persistence(raw: bytes, persistent: bool) -> None:
    assert parse(raw).reusable is persistent


def test_hop_by_hop_fields_and_those_named_by_connection_are_gone() -> None:
    parser = parse(
        b"HTTP/1.1 204 x\r\nConnection: X-One, keep-alive\r\nX-One: 1\r\nKeep-Alive: timeout=5\r\n"
        b"Proxy-Authenticate: Basic\r\nTE: trailers\r\nUpgrade: h2c\r\nX-Two: 2\r\n\r\n"
    )
    assert parser.final is not None
    assert parser.final.head.fields.pairs == (("X-Two", "2"),)
    assert parser.final.idle_s == 5


@pytest.mark.parametrize("lines", [b"Content-Length: 3\r\nContent-Length: 3", b"content-length: 3, 3"])
def test_equal_lengths_are_one(lines: bytes) -> None:
    parser = parse(b"HTTP/1.1 200 OK\r\n%b\r\n\r\nabc" % lines)
    assert body(parser) == b"abc"
    assert parser.final is not None
    assert parser.final.head.fields.lines("content-length") == ("3",)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", id="both"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", id="lengths"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 3, 4\r\n\r\n", id="lengths in a list"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\n", id="signed length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", id="empty length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", id="huge length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", id="unasked coding"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", id="chunked twice"),
        pytest.param(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", id="chunked in 1.0"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", id="folded line"),
        pytest.param(b"HTTP/1.1 200 OK\r\n A: b\r\n\r\n", id="folded first line"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", id="space before colon"),
        pytest.param(b"HTTP/1.1 200 OK\r\n: b\r\n\r\n", id="no name"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA\r\n\r\n", id="no colon"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n", id="bare LF"),
        pytest.param(b"HTTP/1.1 200 OK\nA: b\n\n", id="bare LF everywhere"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n", id="bare CR"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n", id="NUL"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: " + b"b" * 2000 + b"\r\n\r\n", id="long head"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: " + b"b" * 2000, id="long head without end"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 11 + b"\r\n", id="many fields"),
        pytest.param(b"HTTP/2.0 200 OK\r\n\r\n", id="version 2"),
        pytest.param(b"HTTP/0.9 200 OK\r\n\r\n", id="version 0.9"),
        pytest.param(b"<html>", id="no head at all"),
        pytest.param(b"\r\nHTTP/1.1 200 OK\r\n\r\n", id="leading empty line"),
        pytest.param(b"HTTP/1.1 20 OK\r\n\r\n", id="short status"),
        pytest.param(b"HTTP/1.1 2000 OK\r\n\r\n", id="long status"),
        pytest.param(b"HTTP/1.1 099 OK\r\n\r\n", id="low status"),
        pytest.param(b"HTTP/1.1 101 x\r\n\r\n", id="101 not asked for"),
        pytest.param(b"HTTP/1.1 103 x\r\nContent-Length: 3\r\n\r\n", id="interim with a body"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", id="bad chunk size"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", id="negative chunk size"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc", id="prefixed chunk size"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n", id="chunk size ended by LF"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n", id="space after size"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\nabc\r\n", id="empty chunk size"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n", id="chunk too long"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 16 + b"\r\n", id="huge chunk"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n a: b\r\n\r\n", id="folded trailer"),
    ],
)
@pytest.mark.parametrize("step", [1, 100_000])
def test_what_is_ambiguous_is_refused(raw: bytes, step: int) -> None:
    parser = ResponseParser(max_head_bytes=1000, max_fields=10)
    with pytest.raises(MalformedError):  # noqa: PT012 - any of the feeds may raise
        for start in range(0, len(raw), step):
            parser.feed(raw[start : start + step])


def cut(parser: ResponseParser, raw: bytes) -> tuple[bytes, int]:
    pieces, done = parser.split_body(memoryview(raw))
    return b"".join(pieces), done


@pytest.mark.parametrize(
    ("head", "raw", "taken", "done", "phase"),
    [
        (b"Content-Length: 10\r\n\r\nabc", b"defg", b"defg", 4, MessagePart.LENGTH),
        (b"Content-Length: 10\r\n\r\nabc", b"defghij", b"defghij", 7, MessagePart.DONE),
        (b"Content-Length: 10\r\n\r\nabc", b"defghijklm", b"defghij", 7, MessagePart.DONE),
        (b"\r\nabc", b"defg", b"defg", 4, MessagePart.UNTIL_CLOSE),
        (b"Transfer-Encoding: chunked\r\n\r\n4\r\na", b"bc", b"bc", 2, MessagePart.CHUNK_DATA),
        (b"Transfer-Encoding: chunked\r\n\r\n4\r\na", b"bcd", b"bcd", 3, MessagePart.CHUNK_END),
        (b"Transfer-Encoding: chunked\r\n\r\n4\r\na", b"bcd\r\n02\r\nefX", b"bcdef", 11, MessagePart.CHUNK_END),
        (b"Transfer-Encoding: chunked\r\n\r\n4\r\na", b"bcd\r\n2;x\r\nef", b"bcd", 3, MessagePart.CHUNK_END),
        (b"Transfer-Encoding: chunked\r\n\r\n4\r\na", b"bcd\r\n0\r\n\r\n", b"bcd", 3, MessagePart.CHUNK_END),
        (b"Transfer-Encoding: chunked\r\n\r\n4\r\na", b"bcd\r\n2", b"bcd", 3, MessagePart.CHUNK_END),
        (b"Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n", b"2\r\nef", b"", 0, MessagePart.CHUNK_LINE),
    ],
)
def test_a_body_is_cut_where_it_lies(head: bytes, raw: bytes, taken: bytes, done: int, phase: MessagePart) -> None:
    parser = parse(b"HTTP/1.1 200 OK\r\n" + head, end=False)
    assert cut(parser, raw) == (taken, done)
    assert parser.part is phase
