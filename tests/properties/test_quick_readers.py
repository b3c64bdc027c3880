"""The quick readers of heads take fewer than the strict grammar does, and read them as the same."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import example, given
from hypothesis import strategies as st

from veneer.core.fields import Fields, Pair
from veneer.fastpath.response_shapes import read
from veneer.fastpath.scan import PER_REQUEST, Scanner
from veneer.http1.framing import MalformedError
from veneer.http1.grammar import HEAD_END, REQUEST_LINE
from veneer.http1.heads import parse_fields, parse_head
from veneer.http1.parser import MessagePart, ResponseParser
from veneer.http1.segments import body_left
from veneer.server.plain import read_plain

ANY = 10_000

NAMES = st.sampled_from(
    ["Host", "X-A", "Connection", "Content-Length", "Transfer-Encoding", "Upgrade", "Date", "ETag", "Server", "TE"]
    + [name.title() for name in (*PER_REQUEST[:4], "x-request-id", "if-none-match", "accept-encoding")]
)
VALUES = st.one_of(
    st.sampled_from(["", "a", "3", "keep-alive", "Keep-Alive", "close", "chunked", '"e"', "a b", "\xfc", "x\ty", "0"]),
    st.text(st.characters(max_codepoint=255), max_size=6),
)
LINES = st.builds(
    "{}{}{}{}\r\n".format, NAMES, st.sampled_from([": ", ":", ":  ", ":\t", " :"]), VALUES, st.sampled_from(["", " "])
)
STRAY = st.sampled_from(["", "\r\n", "\n", "\r", "\x00", " ", ":", "\r\n\r\n", "\t", "\x7f", "\xfc", "a"])


class Head(NamedTuple):
    """A request head as the strict grammar reads it."""

    method: str
    target: str
    version: str
    fields: Fields


def strictly(raw: bytes) -> tuple[Head, bytes] | None:
    """The head that `raw` begins with, and what follows it; None where it is none."""
    head, end, rest = raw.partition(HEAD_END)
    first, _, block = (head + b"\r\n").decode("latin-1").partition("\r\n")
    line = REQUEST_LINE.fullmatch(first)
    if not end or line is None:
        return None
    try:
        return Head(line[1], line[2], line[3], parse_fields(block, ANY)), rest
    except MalformedError:
        return None


def spoiled(raw: str, place: int, stray: str, width: int) -> bytes:
    """The same with a few bytes at one place replaced."""
    at = place % (len(raw) + 1)
    return (raw[:at] + stray + raw[at + width :]).encode("latin-1")


REQUESTS = st.builds(
    "{} {} {}\r\n{}{}\r\n{}".format,
    st.sampled_from(["GET", "HEAD", "POST", "PATCH", "get", "OPTIONS"]),
    st.sampled_from(["/", "/a?b=c", "*", "http://a/b", "/#", "/\xfc", "/a b"]),
    st.sampled_from(["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/1.10"]),
    st.sampled_from(["Host: site\r\n", ""]),
    st.lists(LINES, max_size=4).map("".join),
    st.sampled_from(["", "", "abc"]),
)
SPOILED_REQUESTS = st.builds(spoiled, REQUESTS, st.integers(0, 300), STRAY, st.integers(0, 2))
RESPONSES = st.builds(
    "HTTP/1.{} {}\r\n{}{}\r\n{}".format,
    st.sampled_from(["1", "1", "0"]),
    st.sampled_from(["200 OK", "200 ", "200", "404 Not Found", "200 \xfc"]),
    st.sampled_from(["Date: now\r\nContent-Length: 3\r\n", "Date: now\r\n"]),
    st.lists(LINES, max_size=3).map("".join),
    st.sampled_from(["abc", "", "abcd"]),
)
SPOILED_RESPONSES = st.builds(spoiled, RESPONSES, st.integers(0, 300), STRAY, st.integers(0, 2))


def stripped(pairs: list[tuple[str, bytes]]) -> list[Pair]:
    return [(name, value.decode("latin-1").strip(" \t")) for name, value in pairs]


@given(SPOILED_REQUESTS)
@example(b"GET / HTTP/1.1\r\nHost: site\r\nCookie:  a \r\n\r\n")
def test_the_scanner_takes_what_the_grammar_takes_and_reads_the_same(raw: bytes) -> None:
    scanner = Scanner()
    found = scanner.scan(raw)
    if found is None:
        return
    shape, values = found
    strict = strictly(raw)
    if strict is None:  # the target and the values are left to who looks them up as a whole
        assert any(not value.isascii() or not value.decode().isprintable() for value in values) or b" " in values[0]
        return
    head, rest = strict
    assert (head.method, head.target.encode("latin-1"), head.version, rest) == (shape.method, values[0], "1", b"")
    changing = [pair for pair in head.fields.pairs if pair[0].lower() in PER_REQUEST]
    assert [(name.lower(), value) for name, value in changing] == stripped(
        list(zip(shape.changing, values[1:], strict=True))
    )
    assert (head.fields.joined["host"] + "\n").encode("latin-1") == shape.host
    assert head.fields.joined.get("accept-encoding") == shape.selector[1]
    assert head.fields.joined.get("user-agent", "") == shape.user_agent
    assert head.fields.joined.keys().isdisjoint({"content-length", "transfer-encoding", "upgrade", "te"})
    assert shape.match_head(raw) == values


@given(REQUESTS, SPOILED_REQUESTS)
def test_a_head_of_a_known_shape_is_one_for_the_grammar_too(first: str, raw: bytes) -> None:
    found = Scanner().scan(first.encode("latin-1"))
    values = None if found is None else found[0].match_head(raw)
    if values is None or b"\n" in b"".join(values) or not b"".join(values).isascii():
        return
    again = Scanner().scan(raw)
    strict = strictly(raw)
    if again is not None and strict is not None:
        assert again[1] == values


@given(SPOILED_REQUESTS)
@example(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
def test_a_plain_request_is_one_for_the_grammar_and_the_same(raw: bytes) -> None:
    found = read_plain(raw, ANY, ANY)
    if found is None:
        return
    strict = strictly(raw)
    assert strict is not None
    head, rest = strict
    assert head == Head(found.method, found.target, "1", found.fields)
    assert rest == found.content
    assert (found.fields.joined.get("content-length") or "0") == str(len(rest))


@given(SPOILED_REQUESTS)
@example(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
def test_what_is_left_of_a_body_is_what_the_grammar_says(raw: bytes) -> None:
    left = body_left(0, raw)
    strict = strictly(raw)
    if left is None or strict is None:  # how requests begin that are none, aiohttp sees to
        return
    head, rest = strict
    assert "transfer-encoding" not in head.fields
    assert left + len(rest) == int(head.fields.joined.get("content-length") or "0")


@given(SPOILED_RESPONSES)
@example(b"HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 3\r\n\r\nabc")
def test_a_response_that_is_read_quickly_is_one_for_the_grammar_and_the_same(raw: bytes) -> None:
    found = read(raw)
    if found is None:
        return
    head = raw.partition(HEAD_END)[0] + b"\r\n"
    try:
        parsed = parse_head(head, ANY)
    except MalformedError:
        # Only the length is looked at elsewhere, against the bytes that are there.
        assert not found.values[found.names.index("content-length")].isdigit()
        return
    assert parsed.head.status == 200
    said = [line.decode("ascii").rstrip("\r\n").partition(": ") for line in found.lines[1:]]
    assert [(name, value) for name, _, value in said if name.lower() != "connection"] == list(parsed.head.fields.pairs)
    assert (parsed.coded, parsed.persistent) == (False, True)
    assert b"".join([*map(b"".join, zip(found.texts, [*found.values, b""], strict=True))]) == head + b"\r\n"
    parser = ResponseParser()
    parser.feed(raw)
    assert parser.final is not None
    assert parser.part in {MessagePart.LENGTH, MessagePart.DONE}
