"""A gigabyte passes through, whole and in constant memory, in both directions."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from devstack.proxy import ProxyOptions, ProxyServer
from tests.support.big_origin import PIECE, big_origin, checksum, content_length, read_head, receive
from tests.support.memory import peak_memory

PIECES = 1024  # of 1 MiB
ALLOWED_GROWTH = 64 * 1024 * 1024


@pytest.fixture
def proxy(new_proxy: Callable[[ProxyOptions], ProxyServer]) -> Iterator[ProxyServer]:
    with big_origin() as url:
        yield new_proxy(ProxyOptions(upstream=url))


def test_a_response_of_a_gigabyte(proxy: ProxyServer) -> None:
    size = PIECES * len(PIECE)
    with (
        socket.create_connection(("127.0.0.1", proxy.port), timeout=60) as client,
        peak_memory(proxy.process.pid) as peak,
    ):
        client.sendall(f"GET /{PIECES} HTTP/1.1\r\nHost: origin\r\n\r\n".encode())
        head, rest = read_head(client)
        assert head.startswith("HTTP/1.1 200")
        assert content_length(head) == size
        got = receive(client, rest, size)
    assert (got.size, got.checksum) == (size, checksum(PIECES))
    assert peak.growth < ALLOWED_GROWTH


def test_a_request_of_a_gigabyte(proxy: ProxyServer) -> None:
    size = PIECES * len(PIECE)
    with (
        socket.create_connection(("127.0.0.1", proxy.port), timeout=60) as client,
        peak_memory(proxy.process.pid) as peak,
    ):
        client.sendall(f"PUT /upload HTTP/1.1\r\nHost: origin\r\nContent-Length: {size}\r\n\r\n".encode())
        for _ in range(PIECES):
            client.sendall(PIECE)
        head, rest = read_head(client)
        body = rest + client.recv(100) if len(rest) < content_length(head) else rest
    assert head.startswith("HTTP/1.1 200")
    assert body.decode() == f"{size} {checksum(PIECES)}"
    assert peak.growth < ALLOWED_GROWTH
