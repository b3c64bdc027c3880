"""What bytes tell before they are parsed."""

import pytest

from veneer.http1.segments import MAX_PIECES, body_left, split_at_heads


@pytest.mark.parametrize(
    ("before", "data", "left"),
    [
        (0, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0),
        (0, b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 0),
        (0, b"POST / HTTP/1.1\r\ncontent-length:  10 \r\n\r\nabc", 7),
        (7, b"abc", 4),
        (4, b"abcd", 0),
        (4, b"abcde", None),
        (0, b"GET / HTTP/1.1\r\nHost: a\r\n\r\nG", None),
        (0, b"H", None),
        (0, b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", None),
        (0, b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", None),
        (0, b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na", None),
        (0, b"POST / HTTP/1.1\r\nContent-Length: 1x\r\n\r\na", None),
        (0, b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\na", None),
        (None, b"GET / HTTP/1.1\r\n\r\n", None),
    ],
)
def test_what_is_left(before: int | None, data: bytes, left: int | None) -> None:
    assert body_left(before, data) == left


@pytest.mark.parametrize(
    ("data", "pieces"),
    [
        (b"", [b""]),
        (b"GET / HT", [b"GET / HT"]),
        (b"a\r\n\r\n", [b"a\r\n\r\n"]),
        (b"a\r\n\r\nb\r\n\r\nc", [b"a\r\n\r\n", b"b\r\n\r\n", b"c"]),
    ],
)
def test_a_segment_is_split_where_heads_may_end(data: bytes, pieces: list[bytes]) -> None:
    assert list(split_at_heads(data)) == pieces


def test_a_segment_is_split_a_bounded_number_of_times() -> None:
    data = b"\r\n\r\n" * 1000
    pieces = list(split_at_heads(data))
    assert len(pieces) == MAX_PIECES
    assert b"".join(pieces) == data
