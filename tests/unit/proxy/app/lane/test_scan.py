"""The scan takes plain requests and leaves everything else to the normal way."""

import pytest

from proxy.app.lane.scan import MEMO_LINES, Scanner


def test_a_plain_request_is_understood() -> None:
    head = Scanner().scan(
        b"GET /a?b=c HTTP/1.1\r\nHost: site\r\naccept-encoding:  br, gzip \r\nUser-Agent: x/1\r\n"
        b'If-None-Match: "e"\r\nX-Request-ID: r1\r\nCookie: a=b\r\nConnection: keep-alive\r\n\r\n'
    )
    assert head is not None
    assert (head.method, head.target, head.host) == ("GET", "/a?b=c", "site")
    assert (head.accept_encoding, head.user_agent, head.if_none_match) == ("br, gzip", "x/1", '"e"')
    assert (head.request_id, head.if_modified_since) == ("r1", None)


@pytest.mark.parametrize(
    "lines",
    [
        "POST / HTTP/1.1\r\nHost: site",
        "get / HTTP/1.1\r\nHost: site",
        "GET / HTTP/1.0\r\nHost: site",
        "GET /",
        "GET /a\tb HTTP/1.1\r\nHost: site",
        "GET / HTTP/1.1\r\nAccept: */*",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b",
        "GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: br\r\nAccept-Encoding: gzip",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked",
        "GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1",
        "GET / HTTP/1.1\r\nHost: a\r\nCache-Control: no-cache",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close",
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket",
        "GET / HTTP/1.1\r\nHost: a\r\nX : b",
        "GET / HTTP/1.1\r\nHost: a\r\n folded",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\x00",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\rY: c",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\nY: c",
        "GET / HTTP/1.1\r\nHost: a\r\nno colon",
        "GET / HTTP/1.1\r\nHost: a\r\nX: \xfc",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a",
    ],
)
def test_anything_else_takes_the_normal_way(lines: str) -> None:
    assert Scanner().scan(lines.encode("latin-1") + b"\r\n\r\n") is None


def test_an_unfinished_or_huge_head_takes_the_normal_way() -> None:
    assert Scanner().scan(b"GET / HTTP/1.1\r\nHost: a\r\n") is None
    assert Scanner().scan(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 9000 + b"\r\n\r\n") is None
    assert Scanner().scan(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 70 + b"\r\n") is None


def test_what_is_remembered_of_lines_is_bounded() -> None:
    scanner = Scanner()
    for number in range(2 * MEMO_LINES + 10):
        assert (
            scanner.scan(b"GET / HTTP/1.1\r\nHost: a\r\nX-N: %d\r\nCookie: %d\r\n\r\n" % (number, number)) is not None
        )
    assert len(scanner._lines) <= MEMO_LINES
