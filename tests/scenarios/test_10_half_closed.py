"""Clients that send no more once they have asked: they get their answers, hit or miss, and hold up nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.scenarios.dialogue import Dialogue, framed

POLICIES = """
version: 1
upstreams: {origin: {url: "http://127.0.0.1:7071", max_connections: 2, pool_timeout: 5s}}
routes:
  - {name: past, match: {path: "/{room}/past"}, cache: {enabled: false}}
"""
FRESH = "200\nCache-Control: max-age=600\n\n{}"
PRIVATE = "200\nCache-Control: no-store\n\n{}"


@pytest.fixture
def never(talk: Dialogue) -> Iterator[asyncio.Event]:
    """What the origin waits for while it does not answer; at the end it need not."""
    event = asyncio.Event()
    yield event
    event.set()


def request(talk: Dialogue, line: str, *fields: str, body: str = "") -> bytes:
    method, _, path = line.partition(" ")
    return "\r\n".join([f"{method} {talk.at(path)} HTTP/1.1", "Host: x", *fields, "", body]).encode()


async def ask_and_end(talk: Dialogue, *requests: bytes) -> bytes:
    """Send, end the sending side, and read what comes until the proxy closes."""
    reader, writer = await talk.connect()
    writer.write(b"".join(requests))
    writer.write_eof()
    async with asyncio.timeout(5):
        answers = await reader.read()
    writer.close()
    return answers


async def learned(talk: Dialogue) -> None:
    """Let the fast path see how the origin answers, so that what follows goes its way too."""
    talk.answers(*[FRESH.format("seen")] * 3)
    for n in range(3):
        assert (await talk.ask(f"GET /seen{n}")).text() == "seen"


@pytest.mark.parametrize("fastpath", [True, False])
async def test_a_miss_and_a_hit_are_answered(talk: Dialogue, fastpath: bool) -> None:
    if fastpath:
        await learned(talk)
    talk.answers(FRESH.format("one"))
    for _ in range(2):
        answer = await ask_and_end(talk, request(talk, "GET /a"))
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b"one")


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (("GET /a",), PRIVATE),
        (("GET /past",), PRIVATE),
        (("POST /a", "Content-Length: 2"), "200\n\n{}"),
        (("QUERY /a", "Content-Type: text/plain", "Content-Length: 2"), FRESH),
        (("GET /a", "X-Odd: \xe9"), FRESH),
        (("PURGE /a",), "200\n\n{}"),
    ],
)
async def test_whatever_is_asked(talk: Dialogue, asked: tuple[str, ...], answer: str) -> None:
    for word in ("one", "two"):
        talk.answers(answer.format(word))
        raw = request(talk, *asked, f"X-Turn: {word}", body="hi" if "Content-Length: 2" in asked else "")
        told = await ask_and_end(talk, raw.replace(b"/a ", f"/{word} ".encode()))
        assert told.endswith(word.encode())


async def test_a_long_body_arrives_whole(talk: Dialogue) -> None:
    body = bytes(range(256)) * 20_000
    talk.answers(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nCache-Control: max-age=60\r\n\r\n" % len(body) + body)
    assert (await ask_and_end(talk, request(talk, "GET /long"))).endswith(body)


@pytest.mark.parametrize("kind", ["PURGE", "GET"])
async def test_all_of_several_requests_are_answered(talk: Dialogue, kind: str) -> None:
    talk.answers("200\n\none", "200\n\ntwo", "200\n\nthree")
    answers = await ask_and_end(talk, *[request(talk, f"{kind} /{n}") for n in range(3)])
    assert [answers.count(word) for word in (b"HTTP/1.1 200 ", b"one", b"two", b"three")] == [3, 1, 1, 1]
    assert answers.lower().count(b"\r\nconnection: close") == 1


async def test_half_a_request_is_not_answered_and_not_waited_for(talk: Dialogue) -> None:
    talk.answers(FRESH.format("one"))
    answers = await ask_and_end(talk, request(talk, "GET /a"), b"GET /b HTTP/1.1\r\nHo")
    assert answers.count(b"HTTP/1.1 200 ") == 1
    assert await ask_and_end(talk, b"GET /b HTTP/1.1\r\nHo") == b""
    body_missing = request(talk, "POST /c", "Content-Length: 5", body="hi")
    await ask_and_end(talk, body_missing)
    assert talk.paths() == ["GET /a"]


@pytest.mark.parametrize("path", ["/a", "/past"])
async def test_who_ends_gives_way_to_who_does_not(talk: Dialogue, never: asyncio.Event, path: str) -> None:
    """A client that has gone looks the same as one that only sends no more."""
    talk.answers([never], [never], FRESH.format("here"))
    writers = []
    for n in range(2):
        _, writer = await talk.connect()
        writers.append(writer)
        writer.write(request(talk, f"GET {path}?{n}" if path == "/past" else f"GET {path}{n}"))
        writer.write_eof()
    await talk.began(2)
    async with asyncio.timeout(3):
        assert (await talk.ask("GET /here")).text() == "here"
    for writer in writers:
        writer.close()


async def test_it_is_answered_when_it_had_to_wait(talk: Dialogue) -> None:
    gate = asyncio.Event()
    talk.answers([gate, framed(FRESH.format("late"))])
    reader, writer = await talk.connect()
    writer.write(request(talk, "GET /late"))
    await talk.began(1)
    writer.write_eof()
    talk.answers(FRESH.format("between"))
    assert (await talk.ask("GET /between")).text() == "between"
    gate.set()
    async with asyncio.timeout(5):
        assert (await reader.read()).endswith(b"late")
    writer.close()
