"""Tunnels: how long they may be silent, how they end, and what the log tells of them (RFC 9110 section 7.8)."""

from __future__ import annotations

import asyncio

import pytest

from devstack.process import wait_until
from tests.scenarios.conftest import Stage
from tests.scenarios.dialogue import Dialogue

POLICIES = """
upstreams: {backend: {url: "http://127.0.0.1:1", read_timeout: 300ms}}
routes:
  - {name: short, match: {path: "/{room}/short"}, tunnel_idle: 300ms}
"""

WEBSOCKET = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13"
)
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
LEAVING = SWITCHED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
"""The dialogue's origin closes the connection after that."""


async def open_tunnel(
    talk: Dialogue, path: str, ahead: bytes = b""
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client's end of a tunnel; `ahead` is sent before the switch has been answered."""
    reader, writer = await talk.connect()
    head = f"GET {talk.at(path)} HTTP/1.1\r\nHost: x\r\n{WEBSOCKET}\r\n\r\n".encode()
    writer.write(head + ahead)
    async with asyncio.timeout(5):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    return reader, writer


async def line_of(stage: Stage, talk: Dialogue, path: str) -> dict[str, object]:
    """The log line of the tunnel at `path`, once it has been written."""

    def lines() -> list[dict[str, object]]:
        return [line for line in stage.proxy.log_records() if line.get("path") == talk.at(path)]

    assert await asyncio.to_thread(wait_until, lambda: bool(lines()), timeout_s=10)
    (line,) = lines()
    return line


async def test_a_tunnel_outlives_a_silent_backend(talk: Dialogue) -> None:
    """A request that begins later is answered 504 for silence; the tunnel, older and as silent, goes on."""
    speak = asyncio.Event()
    never = asyncio.Event()
    talk.answers([SWITCHED, speak, b"bye"], [never])
    reader, writer = await open_tunnel(talk, "/a")
    assert (await talk.ask("GET /slow")).status == 504
    never.set()
    speak.set()
    async with asyncio.timeout(5):
        assert await reader.readexactly(3) == b"bye"
    writer.close()


async def test_a_tunnel_in_which_nobody_speaks_is_closed_at_both_ends(talk: Dialogue, stage: Stage) -> None:
    never = asyncio.Event()
    talk.answers([SWITCHED + b"hello", never])
    reader, writer = await open_tunnel(talk, "/short")
    async with asyncio.timeout(10):
        assert await reader.read() == b"hello"
    writer.close()
    never.set()
    await talk.let_go()
    line = await line_of(stage, talk, "/short")
    assert (line["status"], line["end"], line["bytes_out"]) == (101, "silent", 5)


@pytest.mark.parametrize("leaves", ["close", "abort"])
async def test_the_line_of_a_tunnel_tells_bytes_both_ways_and_that_the_client_left(
    talk: Dialogue, stage: Stage, leaves: str
) -> None:
    never = asyncio.Event()
    talk.answers([SWITCHED + b"hello", never])
    reader, writer = await open_tunnel(talk, "/a", ahead=b"ahead")
    async with asyncio.timeout(5):
        assert await reader.readexactly(5) == b"hello"
    writer.write(b"and then")
    await writer.drain()
    if leaves == "close":
        writer.close()
    else:
        async with asyncio.timeout(5):
            writer.write_eof()  # so that what was sent has been read before the connection is cut
            never.set()
            await reader.read()
        writer.transport.abort()
    never.set()
    line = await line_of(stage, talk, "/a")
    assert (line["end"], line["bytes_in"], line["bytes_out"]) == ("client", 13, 5)


async def test_all_that_a_backend_sent_before_it_left_arrives(talk: Dialogue, stage: Stage) -> None:
    whole = bytes(range(256)) * 80_000
    talk.answers(LEAVING + whole)
    reader, writer = await open_tunnel(talk, "/a")
    received = 0
    async with asyncio.timeout(30):
        while piece := await reader.read(16_384):
            received += len(piece)
    writer.close()
    assert received == len(whole)
    line = await line_of(stage, talk, "/a")
    assert (line["end"], line["bytes_out"]) == ("backend", len(whole))


async def test_a_client_that_sends_no_more_still_gets_the_rest(talk: Dialogue) -> None:
    ended = asyncio.Event()
    talk.answers([SWITCHED, ended, b"the rest"])
    reader, writer = await open_tunnel(talk, "/a")
    writer.write(b"bye")
    writer.write_eof()
    ended.set()
    async with asyncio.timeout(5):
        assert await reader.readexactly(8) == b"the rest"
    writer.close()


async def test_tunnels_are_counted_by_their_end(talk: Dialogue, stage: Stage) -> None:
    talk.answers(LEAVING)
    reader, writer = await open_tunnel(talk, "/a")
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()
    await line_of(stage, talk, "/a")
    _, metrics = await asyncio.to_thread(_get, stage.proxy.admin_port, "/metrics")
    assert b'veneer_tunnels_total{end="backend"}' in metrics
    assert b'veneer_tunnels_total{end="drain"} 0.0' in metrics


def _get(port: int, path: str) -> tuple[int, bytes]:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
