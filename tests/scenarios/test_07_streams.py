"""Item 7: large bodies on their way through, in every framing, to clients fast and slow."""

from __future__ import annotations

import asyncio

import pytest

from checks.conformance.client import FetchError
from checks.conformance.wire import read_chunked, read_head
from tests.scenarios.dialogue import Dialogue

LARGE = bytes(range(256)) * 4_000
HUGE_TIMES = 24
"""So many large bodies are more than all sockets in between hold."""

NO_STORE = b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\n"
CHUNKED = NO_STORE + b"Transfer-Encoding: chunked\r\n\r\n"
LENGTH = NO_STORE + b"Content-Length: %d\r\n\r\n"

FRAMINGS = pytest.mark.parametrize("framing", ["length", "chunked", "close"])
CONNECTIONS = pytest.mark.parametrize("connection", ["keep-alive", "close"])
"""Plain requests are answered without aiohttp, others with it."""


def chunks(body: bytes, size: int = 30_000) -> bytes:
    """The body in chunks, without the last one."""
    return b"".join(
        b"%x\r\n%b\r\n" % (len(body[at : at + size]), body[at : at + size]) for at in range(0, len(body), size)
    )


def answer(framing: str, body: bytes) -> bytes:
    """A private answer in that framing."""
    match framing:
        case "length":
            return LENGTH % len(body) + body
        case "chunked":
            return CHUNKED + chunks(body) + b"0\r\n\r\n"
        case _:
            return NO_STORE + b"Connection: close\r\n\r\n" + body


@FRAMINGS
@CONNECTIONS
async def test_a_large_body_arrives_whole_and_the_next_answer_after_it(
    talk: Dialogue, framing: str, connection: str
) -> None:
    talk.answers(answer(framing, LARGE), answer(framing, LARGE[::-1]))
    assert (await talk.ask("GET /a", f"Connection: {connection}")).body == LARGE
    assert (await talk.ask("GET /a", f"Connection: {connection}")).body == LARGE[::-1]


async def test_head_brings_nothing_of_it(talk: Dialogue) -> None:
    talk.answers(LENGTH % len(LARGE), answer("length", LARGE))
    response = await talk.ask("HEAD /a")
    assert (response.lines.get("content-length"), response.body) == (str(len(LARGE)), b"")
    assert (await talk.ask("GET /b")).body == LARGE


async def test_trailers_come_after_a_large_body(talk: Dialogue) -> None:
    talk.answers(CHUNKED + chunks(LARGE) + b"0\r\nX-Sum: 1\r\n\r\n")
    reader, writer = await talk.connect()
    request = f"GET {talk.at('/a')} HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nConnection: close, TE\r\n\r\n"
    writer.write(request.encode())
    async with asyncio.timeout(10):
        assert (await reader.read()).endswith(b"\r\n0\r\nX-Sum: 1\r\n\r\n")
    writer.close()


async def test_an_http_1_0_client_gets_a_large_body_without_chunks(talk: Dialogue) -> None:
    talk.answers(answer("chunked", LARGE))
    raw = await talk.send_raw(f"GET {talk.at('/a')} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
    assert raw.partition(b"\r\n\r\n")[2] == LARGE


@pytest.mark.parametrize("begun", [LENGTH % 500_000 + b"x" * 300_000, CHUNKED + chunks(b"x" * 300_000)])
@CONNECTIONS
async def test_a_body_that_breaks_off_breaks_off_for_the_client(talk: Dialogue, begun: bytes, connection: str) -> None:
    talk.answers(begun.replace(b"200 OK\r\n", b"200 OK\r\nConnection: close\r\n", 1), "200\n\nwhole")
    with pytest.raises(FetchError):
        (await talk.ask("GET /a", f"Connection: {connection}")).text()
    assert (await talk.ask("GET /a")).text() == "whole"


@FRAMINGS
async def test_slow_clients_get_every_byte_of_their_own_and_hinder_nobody(talk: Dialogue, framing: str) -> None:
    bodies = [LARGE[shift:] * HUGE_TIMES for shift in range(3)]
    streams = []
    for number, body in enumerate(bodies):
        talk.answers(answer(framing, body))
        reader, writer = await talk.connect()
        streams.append((reader, writer))
        writer.write(f"GET {talk.at(f'/{number}')} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await talk.reached(number + 1)
    talk.answers("200\n\nquick")
    assert (await talk.ask("GET /quick")).text() == "quick"
    async with asyncio.timeout(30):
        for (reader, writer), body in zip(streams, bodies, strict=True):
            assert await read_head(reader) is not None
            got = await (reader.readexactly(len(body)) if framing == "length" else read_chunked(reader))
            assert got == body
            writer.close()


@pytest.mark.parametrize("framing", ["length", "chunked"])
@CONNECTIONS
async def test_a_client_that_leaves_lets_the_backend_go(talk: Dialogue, framing: str, connection: str) -> None:
    talk.answers(answer(framing, LARGE * HUGE_TIMES))
    reader, writer = await talk.connect()
    writer.write(f"GET {talk.at('/a')} HTTP/1.1\r\nHost: x\r\nConnection: {connection}\r\n\r\n".encode())
    async with asyncio.timeout(10):
        await reader.readexactly(100_000)
    writer.transport.abort()
    await talk.let_go()
