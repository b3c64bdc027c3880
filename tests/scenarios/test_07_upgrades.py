"""Upgrades: who may leave HTTP, and what becomes of a request whose upgrade is not allowed (RFC 9110 section 7.8)."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from tests.scenarios.dialogue import Dialogue

H2C = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__"
WEBSOCKET = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13"
)
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


def request(talk: Dialogue, method: str, path: str, *lines: str, body: str = "") -> bytes:
    """The bytes of one request."""
    return "\r\n".join([f"{method} {talk.at(path)} HTTP/1.1", "Host: x", *lines, "", body]).encode()


async def test_a_switch_names_upgrade_in_connection(talk: Dialogue) -> None:
    talk.answers(SWITCHED)
    reader, writer = await talk.connect()
    writer.write(request(talk, "GET", "/a", WEBSOCKET))
    async with asyncio.timeout(5):
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
    assert b"\r\nconnection: upgrade\r\n" in head
    assert b"\r\nupgrade: websocket\r\n" in head
    writer.close()


@pytest.mark.parametrize("upgrade", [H2C, "Connection: Upgrade\r\nUpgrade: TLS/1.3", "Connection: Upgrade\r\nUpgrade:"])
async def test_an_upgrade_that_is_not_allowed_is_an_ordinary_request(talk: Dialogue, upgrade: str) -> None:
    talk.answers("200\n\none", "200\nCache-Control: max-age=60\n\ntwo")
    answers = await talk.send_raw(request(talk, "GET", "/a", upgrade) + request(talk, "GET", "/b", "Connection: close"))
    assert answers.count(b"HTTP/1.1 200 ") == 2
    for name in ("Upgrade", "HTTP2-Settings", "Connection"):
        assert name not in talk.asked[0].lines


async def test_content_beside_an_upgrade_ends_where_it_says(talk: Dialogue) -> None:
    talk.answers("200\n\none", "200\n\ntwo", "200\n\nthree")
    answers = await talk.send_raw(
        request(talk, "POST", "/a", H2C, "Content-Length: 5", body="hello")
        + request(talk, "GET", "/b")
        + request(talk, "GET", "/c", "Connection: close")
    )
    assert talk.paths() == ["POST /a", "GET /b", "GET /c"]
    assert talk.asked[0].body == b"hello"
    assert [answers.find(body) for body in (b"one", b"two", b"three")] == sorted(
        answers.find(body) for body in (b"one", b"two", b"three")
    )
    assert answers.count(b"HTTP/1.1 200 ") == 3


async def test_content_in_chunks_beside_an_upgrade(talk: Dialogue) -> None:
    talk.answers("200\n\none", "200\n\ntwo")
    answers = await talk.send_raw(
        request(talk, "POST", "/a", H2C, "Transfer-Encoding: chunked", body="5\r\nhello\r\n0\r\n\r\n")
        + request(talk, "GET", "/b", "Connection: close")
    )
    assert [asked.body for asked in talk.asked] == [b"hello", b""]
    assert answers.count(b"HTTP/1.1 200 ") == 2


async def test_a_websocket_has_no_content(talk: Dialogue) -> None:
    talk.answers("200\n\none")
    await talk.send_raw(
        request(
            talk,
            "POST",
            "/a",
            WEBSOCKET.replace("Upgrade\r\n", "Upgrade, close\r\n", 1),
            "Content-Length: 2",
            body="hi",
        )
    )
    assert ("Upgrade" in talk.asked[0].lines, talk.asked[0].body) == (False, b"hi")


@pytest.mark.parametrize("upgrade", ["X-None: 1", H2C, WEBSOCKET])
async def test_a_coding_with_a_tab_is_read_or_refused(talk: Dialogue, upgrade: str) -> None:
    talk.answers("200\n\none")
    chunks = "1c\r\nGET /smuggled HTTP/1.1\r\nA: b\r\n0\r\n\r\n"
    answers = await talk.send_raw(
        request(talk, "POST", "/a", upgrade, "Transfer-Encoding: chunked\t", "Connection: close", body=chunks)
    )
    talk.forget_answers()
    assert answers.count(b"HTTP/1.1 ") == 1
    assert [len(asked.body) for asked in talk.asked] in ([], [28])


@pytest.mark.parametrize("method", ["UPDATE", "SUBSCRIBE", "POST", "GET"])
@pytest.mark.parametrize("chunks", ["zz\r\nhello\r\n0\r\n\r\n", "5\r\nhelloX\r\n0\r\n\r\n", "zz\r\n\r\n"])
async def test_a_broken_chunk_is_refused_at_once(talk: Dialogue, method: str, chunks: str) -> None:
    async with asyncio.timeout(5):
        answers = await talk.send_raw(request(talk, method, "/a", "Transfer-Encoding: chunked", body=chunks))
        await talk.let_go()
    assert answers.startswith(b"HTTP/1.1 400 ")
    assert answers.count(b"HTTP/1.1 ") == 1
    assert talk.asked == []


async def test_a_switch_that_nobody_asked_for_is_a_bad_answer(talk: Dialogue) -> None:
    talk.answers(SWITCHED)
    assert (await talk.ask("GET /a")).status == 502


@pytest.mark.parametrize("protocol", ["foo", "websocket, h2c", "h2c"])
async def test_a_switch_to_another_protocol_is_a_bad_answer(talk: Dialogue, protocol: str) -> None:
    talk.answers(SWITCHED.replace(b"websocket", protocol.encode()))
    reader, writer = await talk.connect()
    writer.write(request(talk, "GET", "/a", WEBSOCKET))
    async with asyncio.timeout(5):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 502 ")
    writer.close()


async def test_a_refused_switch_leaves_the_connection_to_http(talk: Dialogue) -> None:
    talk.answers("426\n\none", "200\n\ntwo")
    answers = await talk.send_raw(
        request(talk, "GET", "/a", WEBSOCKET) + request(talk, "GET", "/b", "Connection: close")
    )
    assert [answers.count(status) for status in (b"HTTP/1.1 426 ", b"HTTP/1.1 200 ")] == [1, 1]


@pytest.mark.parametrize("line", ["GET {} RTSP/1.0", "OPTIONS {} RTSP/1.0", "CONNECT {} HTTP/1.1", "SOURCE {} ICE/1.0"])
@pytest.mark.parametrize("parted", [False, True])
async def test_other_protocols_are_refused(talk: Dialogue, line: str, parted: bool) -> None:
    data = f"{line.format(talk.at('/a'))}\r\nHost: x\r\n\r\n".encode()
    reader, writer = await talk.connect()
    if parted:
        writer.write(data[:9])
        await writer.drain()
        await asyncio.sleep(0.05)
        data = data[9:]
    writer.write(data)
    async with asyncio.timeout(5):
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
    assert talk.asked == []
    writer.close()


async def echo(peer: ServerConnection) -> None:
    """Send back what comes."""
    async for message in peer:
        await peer.send(message)


async def test_websocket_clients_connect(talk: Dialogue) -> None:
    """The origin's socket serves a real WebSocket server for once."""
    talk.stand_aside()
    async with serve(echo, sock=talk.socket()), connect(f"ws://127.0.0.1:{talk.port}{talk.at('/ws')}") as peer:
        await peer.send("hello")
        assert await peer.recv() == "hello"
        await peer.send(b"\x00" * 100_000)
        assert await peer.recv() == b"\x00" * 100_000


async def test_aiohttp_clients_connect(talk: Dialogue) -> None:
    talk.stand_aside()
    async with (
        serve(echo, sock=talk.socket()),
        aiohttp.ClientSession() as session,
        session.ws_connect(f"http://127.0.0.1:{talk.port}{talk.at('/ws')}") as peer,
    ):
        await peer.send_str("hello")
        assert await peer.receive_str() == "hello"
