"""Clients that leave before their answer: what they asked for is fetched to its end, but not at the cost of others."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.scenarios.dialogue import Dialogue, framed

ROOM = 2
POLICIES = f"""
version: 1
upstreams: {{origin: {{url: "http://127.0.0.1:7071", max_connections: {ROOM}, pool_timeout: 5s}}}}
"""
FRESH = "200\nCache-Control: max-age=600\n\n{}"


@pytest.fixture
def never(talk: Dialogue) -> Iterator[asyncio.Event]:
    """What the origin waits for while it does not answer; at the end it need not."""
    event = asyncio.Event()
    yield event
    event.set()


async def leave(talk: Dialogue, *asked: str, begun: int) -> None:
    """Ask for each on its own connection, of which `begun` reach the origin, and hang up, the last one first."""
    before, writers = len(talk.begun), []
    for number, one in enumerate(asked):
        if number == begun:
            await talk.began(before + begun)
        _, writer = await talk.connect()
        method, _, path = one.partition(" ")
        body = "Content-Length: 2\r\n\r\nhi" if method == "POST" else "\r\n"
        writer.write(f"{method} {talk.at(path)} HTTP/1.1\r\nHost: 127.0.0.1:{talk.port}\r\n{body}".encode())
        writers.append(writer)
    await talk.began(before + begun)
    await asyncio.sleep(0.2)  # nothing tells that the others are in the queue; they are to be left out either way
    for writer in reversed(writers):  # a request that still waits would be sent in the place of one whose client left
        writer.transport.abort()
        await asyncio.sleep(0.02)


async def learned(talk: Dialogue) -> None:
    """Let the fast path see how the origin answers, so that what follows goes its way too."""
    talk.answers(*[FRESH.format("seen")] * 3)
    for n in range(3):
        assert (await talk.ask(f"GET /seen{n}")).text() == "seen"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_who_left_holds_no_connection_that_another_waits_for(
    talk: Dialogue, never: asyncio.Event, method: str
) -> None:
    await learned(talk)
    talk.answers([never], [never], FRESH.format("here"))
    await leave(talk, *[f"{method} /gone{n}" for n in range(ROOM + 3)], begun=ROOM)
    async with asyncio.timeout(3):
        assert (await talk.ask("GET /here")).text() == "here"
    assert Counter(talk.paths()[3:]) == Counter([f"{method} /gone0", f"{method} /gone1", "GET /here"])


async def test_who_left_in_the_middle_of_a_body_makes_room_as_well(talk: Dialogue, never: asyncio.Event) -> None:
    begin = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 500000\r\n\r\nbegin"
    talk.answers([begin, never], [begin, never], FRESH.format("here"))
    for n in range(ROOM):
        reader, writer = await talk.connect()
        writer.write(f"GET {talk.at(f'/gone{n}')} HTTP/1.1\r\nHost: 127.0.0.1:{talk.port}\r\n\r\n".encode())
        await reader.readuntil(b"begin")
        writer.transport.abort()
    async with asyncio.timeout(3):
        assert (await talk.ask("GET /here")).text() == "here"


async def test_a_fetch_whose_client_left_is_stored_while_nobody_needs_its_connection(talk: Dialogue) -> None:
    await learned(talk)
    gate = asyncio.Event()
    talk.answers([gate, framed(FRESH.format("kept"))])
    await leave(talk, "GET /left", begun=1)
    gate.set()
    assert (await talk.ask("GET /left")).text() == "kept"
    assert talk.paths()[3:] == ["GET /left"]


async def test_a_fetch_that_somebody_else_waits_for_stays(talk: Dialogue, never: asyncio.Event) -> None:
    gate = asyncio.Event()
    talk.answers([gate, framed(FRESH.format("shared"))], [never], FRESH.format("here"))
    _, first = await talk.connect()
    first.write(f"GET {talk.at('/shared')} HTTP/1.1\r\nHost: 127.0.0.1:{talk.port}\r\n\r\n".encode())
    await talk.began(1)
    follower = asyncio.gather(talk.ask("GET /shared", client=talk.client()))
    await asyncio.sleep(0.2)  # as above
    first.transport.abort()
    await leave(talk, "GET /gone", begun=1)
    async with asyncio.timeout(3):
        assert (await talk.ask("GET /here", client=talk.client())).text() == "here"
    gate.set()
    assert (await follower)[0].text() == "shared"


async def test_who_comes_back_while_the_fetch_goes_on_joins_it(talk: Dialogue, never: asyncio.Event) -> None:
    gate = asyncio.Event()
    talk.answers([gate, framed(FRESH.format("back"))], [never], FRESH.format("here"))
    await leave(talk, "GET /back", begun=1)
    again = asyncio.gather(talk.ask("GET /back", client=talk.client()))
    await asyncio.sleep(0.2)  # as above
    await leave(talk, "GET /gone", begun=1)
    async with asyncio.timeout(3):
        assert (await talk.ask("GET /here", client=talk.client())).text() == "here"
    gate.set()
    assert (await again)[0].text() == "back"


async def test_a_write_whose_client_left_in_the_queue_is_not_sent(talk: Dialogue) -> None:
    gate = asyncio.Event()
    talk.answers([gate, framed("200\n\nread")], [gate, framed("200\n\nread")], FRESH.format("here"))
    readers = asyncio.gather(*[talk.ask(f"GET /slow{n}", client=talk.client()) for n in range(ROOM)])
    await talk.began(ROOM)
    await leave(talk, "POST /never", "POST /never", begun=0)
    await asyncio.sleep(0.2)  # nothing tells that the proxy has heard of it
    gate.set()
    await readers
    assert (await talk.ask("GET /here")).text() == "here"
    assert "POST /never" not in talk.paths()


async def test_a_write_that_was_sent_gives_way_to_nobody(talk: Dialogue) -> None:
    gate = asyncio.Event()
    talk.answers([gate, framed("200\n\nwritten")], [gate, framed("200\n\nwritten")], FRESH.format("here"))
    await leave(talk, "POST /done", "POST /done", begun=ROOM)
    here = asyncio.gather(talk.ask("GET /here"))
    await asyncio.sleep(0.2)  # as above
    assert talk.paths() == ["POST /done", "POST /done"]
    gate.set()
    assert (await here)[0].text() == "here"


async def test_who_follows_one_that_left_gets_the_whole_body_though_others_wait(
    talk: Dialogue, never: asyncio.Event
) -> None:
    gate, rest, size = asyncio.Event(), asyncio.Event(), 400_000
    head = f"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: {size}\r\n\r\n".encode()
    talk.answers([gate, head + b"x" * 200_000, rest, b"y" * 200_000], [never], FRESH.format("here"))
    _, first = await talk.connect()
    first.write(f"GET {talk.at('/shared')} HTTP/1.1\r\nHost: 127.0.0.1:{talk.port}\r\n\r\n".encode())
    await talk.began(1)
    follower = asyncio.gather(talk.ask("GET /shared", client=talk.client()))
    _, slow = await talk.connect()
    slow.write(f"GET {talk.at('/slow')} HTTP/1.1\r\nHost: 127.0.0.1:{talk.port}\r\n\r\n".encode())
    await talk.began(2)
    waiting = asyncio.gather(talk.ask("GET /here", client=talk.client()))
    await asyncio.sleep(0.2)  # as above
    first.transport.abort()
    await asyncio.sleep(0.1)  # as above
    gate.set()
    await asyncio.sleep(0.1)  # as above
    rest.set()
    assert (await follower)[0].body == b"x" * 200_000 + b"y" * 200_000
    assert (await waiting)[0].text() == "here"
    slow.transport.abort()
