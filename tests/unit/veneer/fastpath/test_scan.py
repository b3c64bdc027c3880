"""The scan takes plain requests and leaves everything else to the normal way."""

from __future__ import annotations

import pytest

from veneer.fastpath.pattern import Values
from veneer.fastpath.scan import MAX_REFUSED, MAX_SHAPES, HeadShape, Scanner

PLAIN = (
    b"GET /a?b=c HTTP/1.1\r\nHost: site\r\naccept-encoding:  br, gzip \r\nUser-Agent: x/1\r\n"
    b'If-None-Match: "e"\r\nX-Request-ID: r1\r\nCookie: a=b\r\nConnection: keep-alive\r\n\r\n'
)


def scan(data: bytes) -> tuple[HeadShape, Values]:
    found = Scanner().scan(data)
    assert found is not None
    return found


def test_a_plain_request_is_understood() -> None:
    shape, values = scan(PLAIN)
    assert (shape.method, values[0], shape.host, shape.user_agent) == ("GET", b"/a?b=c", b"site\n", "x/1")
    assert values[shape.request_id] == b"r1"
    assert not shape.unconditional
    assert shape.selector_of(values) == ("GET", "br, gzip", '"e"', None)


def test_without_conditions_the_wishes_are_the_shapes() -> None:
    shape, values = scan(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert shape.unconditional
    assert shape.selector == shape.selector_of(values) == ("HEAD", None, None, None)
    assert (shape.request_id, values) == (0, [b"/"])


@pytest.mark.parametrize(
    "lines",
    [
        "POST / HTTP/1.1\r\nHost: site",
        "get / HTTP/1.1\r\nHost: site",
        "GET / HTTP/1.0\r\nHost: site",
        "GET /",
        "GET /a b HTTP/1.1\r\nHost: site",
        "GET / HTTP/1.1\r\nAccept: */*",
        "GET / HTTP/1.1",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b",
        "GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: br\r\nAccept-Encoding: gzip",
        "GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: 1\r\nX-Request-ID: 2",
        'GET / HTTP/1.1\r\nHost: a\r\nIf-None-Match: "a"\r\nif-none-match: "b"',
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked",
        "GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1",
        "GET / HTTP/1.1\r\nHost: a\r\nCache-Control: no-cache",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close",
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket",
        "GET / HTTP/1.1\r\nHost: a\r\nX : b",
        "GET / HTTP/1.1\r\nHost: a\r\nCookie : b",
        "GET / HTTP/1.1\r\nHost: a\r\n folded",
        "GET / HTTP/1.1\r\nHost: a\r\nCookie: b\r\n folded",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\x00",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\rY: c",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\nY: c",
        "GET / HTTP/1.1\r\nHost: a\r\nCookie: b\nY: c",
        "GET / HTTP/1.1\r\nHost: a\r\nCookie: \xfc",
        "GET / HTTP/1.1\r\nHost: a\r\nno colon",
        "GET / HTTP/1.1\r\nHost: a\r\nX: \xfc",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\nCookie: a",
    ],
)
def test_anything_else_takes_the_normal_way(lines: str) -> None:
    assert Scanner().scan(lines.encode("latin-1") + b"\r\n\r\n") is None


def test_an_unfinished_or_huge_head_takes_the_normal_way() -> None:
    assert Scanner().scan(b"GET / HTTP/1.1\r\nHost: a\r\n") is None
    assert Scanner().scan(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 9000 + b"\r\n\r\n") is None
    assert Scanner().scan(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 70 + b"\r\n") is None
    assert Scanner(max_bytes=100).scan(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 100 + b"\r\n\r\n") is None
    assert Scanner(max_lines=2).scan(b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\nY: a\r\n\r\n") is None


def test_a_head_of_the_same_shape_gives_its_own_values() -> None:
    shape, _ = scan(PLAIN)
    other = PLAIN.replace(b"/a?b=c", b"/").replace(b"r1", b"another").replace(b"a=b", b"").replace(b'"e"', b"*")
    values = shape.match_head(other)
    assert values is not None
    assert (values[0], values[shape.request_id], shape.selector_of(values)[2]) == (b"/", b"another", "*")
    assert scan(other)[1] == values


@pytest.mark.parametrize("number", range(len(PLAIN)))
def test_a_shape_takes_no_head_that_a_scan_would_not(number: int) -> None:
    """Each byte left out, changed, or followed by something, as a head of a known shape and as one never seen."""
    shape, _ = scan(PLAIN)
    for instead in (b"", b"\r", b"\n", b"\x00", b"\xff", b" ", b":", b"\r\n", b"\r\n\r\n", b"x"):
        for width in (0, 1):
            data = PLAIN[:number] + instead + PLAIN[number + width :]
            values = shape.match_head(data)
            found = Scanner().scan(data)
            if values is None:
                continue
            harmless = [values[0], *(values[place] for place in (shape.request_id, shape.if_none_match))]
            if all(value.isascii() and value.decode().isprintable() and b" " not in value for value in harmless):
                assert found is not None, data
                assert [value.strip() for value in found[1]] == [value.strip() for value in values], data
                assert found[0].selector_of(found[1]) == shape.selector_of(values)


def test_what_is_remembered_of_shapes_is_bounded() -> None:
    scanner = Scanner()
    for number in range(2 * MAX_SHAPES + 10):
        assert scanner.scan(b"GET / HTTP/1.1\r\nHost: a\r\nX-N: %d\r\nCookie: %d\r\n\r\n" % (number, number))
    assert len(scanner) <= MAX_SHAPES


def test_changing_values_make_no_new_shapes() -> None:
    scanner = Scanner()
    for number in range(10):
        scanner.scan(b"GET /%d HTTP/1.1\r\nHost: a\r\nCookie: %d\r\nReferer: %d\r\n\r\n" % (number, number, number))
    assert len(scanner) == 1


def test_what_is_remembered_of_heads_that_are_not_plain_is_bounded_and_refused_each_time() -> None:
    scanner = Scanner()
    for number in range(2 * MAX_REFUSED + 10):
        head = b"GET /%d HTTP/1.1\r\nHost: a\r\nRange: bytes=%d-\r\nCookie: a\r\n\r\n" % (number, number)
        assert [scanner.scan(head), scanner.scan(head)] == [None, None]
    assert 0 < len(scanner) <= MAX_REFUSED


def test_a_head_that_one_value_made_odd_is_plain_with_another() -> None:
    """Nor is it odd for ever where a field between them was: the head without it is another one."""
    scanner = Scanner()
    for odd in (b"a\x01b", b"caf\xe9"):
        assert scanner.scan(b"GET / HTTP/1.1\r\nHost: a\r\nCookie: %b\r\n\r\n" % odd) is None
    assert scanner.scan(b"GET / HTTP/1.1\r\nHost: a\r\nPragma: no-cache\r\nCookie: b\r\n\r\n") is None
    assert len(scanner) == 1
    assert scanner.scan(b"GET / HTTP/1.1\r\nHost: a\r\nCookie: b\r\n\r\n") is not None
