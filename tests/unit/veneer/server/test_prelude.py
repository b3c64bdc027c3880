"""A PROXY header before a connection, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from veneer.server.lobby import Lobby
from veneer.server.prelude import ProxyPrelude


class Answering(asyncio.Protocol):
    """Echoes the address that it was made for, and what comes."""

    def __init__(self, address: str | None) -> None:
        self._address = address

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(f"{self._address};".encode())

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)


@asynccontextmanager
async def listening(trusted: str = "127.0.0.1") -> AsyncIterator[tuple[int, Lobby]]:
    loop = asyncio.get_running_loop()
    lobby = Lobby(loop.call_later, 60)
    server = await loop.create_server(
        lambda: ProxyPrelude(lambda peer: peer == trusted, Answering, lobby, "192.0.2.9"), "127.0.0.1", 0
    )
    try:
        yield int(server.sockets[0].getsockname()[1]), lobby
    finally:
        server.close()
        await server.wait_closed()


async def exchange(port: int, *pieces: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.01)
        writer.write_eof()
        return await asyncio.wait_for(reader.read(), 10)
    except OSError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("pieces", "answer"),
    [
        ((b"PROXY TCP4 198.51.100.7 127.0.0.1 1 2\r\nhello",), b"198.51.100.7;hello"),
        ((b"PRO", b"XY TCP4 198.51.100.7 127.0.0.1 1 2\r", b"\nhel", b"lo"), b"198.51.100.7;hello"),
        ((b"PROXY UNKNOWN\r\nhello",), b"None;hello"),
    ],
)
async def test_what_follows_is_for_whom_the_header_names(pieces: tuple[bytes, ...], answer: bytes) -> None:
    async with listening() as (port, lobby):
        assert await exchange(port, *pieces) == answer
        assert (lobby.refused, len(lobby)) == ({}, 0)


@pytest.mark.parametrize(
    ("data", "why"),
    [(b"GET / HTTP/1.1\r\n\r\n", "proxy-missing"), (b"PROXY TCP4 1\r\n", "proxy-malformed"), (b"PROXY", "gone")],
)
async def test_without_a_right_header_nothing_is_answered(data: bytes, why: str) -> None:
    async with listening() as (port, lobby):
        assert await exchange(port, data) == b""
        assert (lobby.refused, len(lobby)) == ({why: 1}, 0)


async def test_a_stranger_is_refused_whatever_it_says() -> None:
    async with listening(trusted="192.0.2.1") as (port, lobby):
        assert await exchange(port, b"PROXY TCP4 198.51.100.7 127.0.0.1 1 2\r\nhello") == b""
        assert lobby.refused == {"proxy-untrusted": 1}
