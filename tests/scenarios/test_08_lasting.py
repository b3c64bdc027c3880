"""Event streams and tunnels beside requests: their bound and their clock are their own."""

from __future__ import annotations

import asyncio

from devstack.process import wait_until
from tests.scenarios.conftest import Stage
from tests.scenarios.dialogue import Dialogue

POLICIES = """
upstreams: {backend: {url: "http://127.0.0.1:1", read_timeout: 300ms, max_connections: 2, max_streams: 2}}
limits: {in_flight: 2}
"""

EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n6\r\ndata:\n\r\n"
MORE = b"4\r\nmore\r\n0\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
WEBSOCKET = "Connection: Upgrade\r\nUpgrade: websocket\r\n"


async def begin(talk: Dialogue, path: str, fields: str = "") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that asks for something that lasts, and has its head."""
    reader, writer = await talk.connect()
    writer.write(f"GET {talk.at(path)} HTTP/1.1\r\nHost: x\r\n{fields}\r\n".encode())
    async with asyncio.timeout(5):
        await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def test_streams_take_no_place_from_requests_and_are_bounded_themselves(talk: Dialogue, stage: Stage) -> None:
    go_on = asyncio.Event()
    talk.answers([EVENTS, go_on, MORE], [SWITCHED, go_on], "200\n\none", EVENTS + MORE[:4], SWITCHED, "200\n\ntwo")
    streams = [await begin(talk, "/events"), await begin(talk, "/ws", WEBSOCKET)]
    assert (await talk.ask("GET /a")).body == b"one"
    refused = await talk.ask("GET /too-many")
    assert refused.status == 503
    assert refused.lines.get("retry-after") == "1"
    assert (await talk.ask("GET /too-many", *WEBSOCKET.split("\r\n")[:2])).status == 503
    assert (await talk.ask("GET /b")).body == b"two"
    go_on.set()
    for _, writer in streams:
        writer.close()

    def reasons() -> list[object]:
        return [line.get("refused") for line in stage.proxy.log_records() if line.get("path") == talk.at("/too-many")]

    assert await asyncio.to_thread(wait_until, lambda: len(reasons()) == 2, timeout_s=10)
    assert reasons() == ["streams", "streams"]


async def test_an_event_stream_may_be_silent_for_longer_than_a_request(talk: Dialogue) -> None:
    """A request that begins later is answered 504; the stream, older and as silent, goes on."""
    go_on, never = asyncio.Event(), asyncio.Event()
    talk.answers([EVENTS, go_on, MORE], [never])
    reader, writer = await begin(talk, "/events")
    assert (await talk.ask("GET /slow")).status == 504
    never.set()
    go_on.set()
    async with asyncio.timeout(5):
        assert b"more" in await reader.readuntil(b"0\r\n\r\n")
    writer.close()
