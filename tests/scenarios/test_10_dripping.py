"""Request bodies that come byte by byte: they hold no connection to the origin that others wait for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.scenarios.dialogue import Dialogue

ROOM = 2
BUFFER = 64 * 1024
POLICIES = f"""
version: 1
upstreams: {{origin: {{url: "http://127.0.0.1:7071", max_connections: {ROOM}, pool_timeout: 500ms}}}}
routes:
- {{name: talk, match: {{path: "/{{room}}/talk"}}, body_buffer: 0}}
"""
LENGTH, CHUNKED = "Content-Length: {}", "Transfer-Encoding: chunked"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def senders(talk: Dialogue) -> AsyncIterator[list[Streams]]:
    """Clients whose connections end with the test."""
    opened: list[Streams] = []
    yield opened
    for _, writer in opened:
        writer.transport.abort()


async def begin(talk: Dialogue, senders: list[Streams], line: str, framing: str, body: bytes) -> Streams:
    """Send a request's head, and the beginning of its body."""
    reader, writer = await talk.connect()
    senders.append((reader, writer))
    method, _, path = line.partition(" ")
    head = f"{method} {talk.at(path)} HTTP/1.1\r\nHost: 127.0.0.1:{talk.port}\r\n{framing}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
    return reader, writer


@pytest.mark.parametrize("method", ["POST", "PUT", "REPORT"])
@pytest.mark.parametrize(
    ("framing", "first", "rest"),
    [(LENGTH.format(4), b"a", b"bcd"), (CHUNKED, b"1\r\na\r\n", b"3\r\nbcd\r\n0\r\n\r\n")],
    ids=["length", "chunked"],
)
async def test_a_body_that_drips_holds_nothing(
    talk: Dialogue, senders: list[Streams], method: str, framing: str, first: bytes, rest: bytes
) -> None:
    for n in range(ROOM + 2):
        await begin(talk, senders, f"{method} /drip{n}", framing, first)
    reader, writer = senders[-1]
    talk.answers("200\n\nhere", "200\n\ntaken")
    assert (await talk.ask("GET /here")).text() == "here"
    assert talk.begun == ["GET /here"]
    writer.write(rest)
    async with asyncio.timeout(10):
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    assert (talk.asked[1].path, talk.asked[1].body) == (f"/drip{ROOM + 1}", b"abcd")


async def test_a_longer_body_goes_on_when_its_beginning_is_there(talk: Dialogue, senders: list[Streams]) -> None:
    size = 3 * BUFFER
    talk.answers("200\n\ntaken")
    reader, writer = await begin(talk, senders, "POST /long", LENGTH.format(size), bytes(BUFFER))
    await asyncio.sleep(0.1)  # nothing tells that it waits; if it were sent the test would fail in any case
    assert talk.begun == []
    writer.write(bytes(BUFFER))
    await talk.began(1)
    writer.write(bytes(BUFFER))
    async with asyncio.timeout(10):
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    assert len(talk.asked[0].body) == size


async def test_a_policy_may_pass_on_every_piece_as_it_comes(talk: Dialogue, senders: list[Streams]) -> None:
    talk.answers("200\n\ntaken")
    reader, writer = await begin(talk, senders, "POST /talk", LENGTH.format(4), b"a")
    await talk.began(1)
    writer.write(b"bcd")
    async with asyncio.timeout(10):
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")


async def test_a_write_whose_body_breaks_off_was_never_sent(talk: Dialogue, senders: list[Streams]) -> None:
    talk.answers("200\nCache-Control: max-age=600\n\nstored")
    await talk.ask("GET /a")
    _, writer = await begin(talk, senders, "POST /a", LENGTH.format(4), b"a")
    writer.transport.abort()
    assert (await talk.ask("GET /a")).text() == "stored"
    assert talk.begun == ["GET /a"]
