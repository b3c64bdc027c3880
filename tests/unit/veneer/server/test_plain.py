"""Plain requests are recognised whole; whatever is not certainly one is left alone."""

import pytest

from veneer.core.fields import Fields
from veneer.server.plain import PlainRequest, read_plain

HOST = b"Host: a\r\n"


def read(data: bytes) -> PlainRequest | None:
    return read_plain(data, max_target_bytes=100, max_fields=4)


def test_a_request_as_it_came() -> None:
    found = read(b"GET /a%20b?c=d HTTP/1.1\r\nHost: A\r\nX-Text: \xfc\tb \r\nConnection: Keep-Alive\r\n\r\n")
    fields = Fields([("Host", "A"), ("X-Text", "\xfc\tb"), ("Connection", "Keep-Alive")])
    assert found == PlainRequest("GET", "/a%20b?c=d", fields, b"")


def test_a_request_with_the_whole_of_its_content() -> None:
    found = read(b"POST /a HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc")
    assert found is not None
    assert found.content == b"abc"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET /",
        b"GET / HTTP/1.1\r\n" + HOST,
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
        b"GET / HTTP/1.0\r\n" + HOST + b"\r\n",
        b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n",
        b"get / HTTP/1.1\r\n" + HOST + b"\r\n",
        b"BREW / HTTP/1.1\r\n" + HOST + b"\r\n",
        b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET http://a/ HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /#x HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /\xfc HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /" + b"a" * 100 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"A:\r\nB:\r\nC:\r\nD:\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 9000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\n" + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b" folded\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"A : b\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"A: b\x00\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"Upgrade: websocket\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"\r\nGET",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nab",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabcd",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 03\r\n\r\nabc",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_anything_else_is_left_alone(data: bytes) -> None:
    assert read(data) is None
