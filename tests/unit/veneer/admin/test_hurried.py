"""The admin listener waits for nobody for ever."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from devstack.process import free_port
from veneer.admin import hurried
from veneer.admin.hurried import in_time, whole_body
from veneer.core.listen_address import Address
from veneer.main.administration import listening

GET = b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"
LATE = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Application:
    """Answers with what it got; a request for /slow waits until it is let go."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.go = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        if request.path == "/slow":
            self.reached.set()
            await self.go.wait()
        return web.Response(text=f"{request.path} {await request.text()}")


@pytest.fixture
async def served() -> AsyncIterator[tuple[Application, Address]]:
    handler = Application()
    application = web.Application(middlewares=[in_time, whole_body])
    application.router.add_route("*", "/{rest:.*}", handler.answer)
    address = Address("127.0.0.1", free_port())
    async with listening(application, address, head_s=0.1):
        yield handler, address


async def say(address: Address, *pieces: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(address.host, address.port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    return reader, writer


async def answered(reader: asyncio.StreamReader) -> bytes:
    """One answer of the application: status line and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return head.partition(b"\r\n")[0] + b" " + await reader.readexactly(size)


@pytest.mark.parametrize("begun", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\n", GET[:-1]])
async def test_a_head_that_does_not_come_is_given_up(served: tuple[Application, Address], begun: bytes) -> None:
    async with asyncio.timeout(10):
        reader, writer = await say(served[1], begun)
        assert await reader.read() == LATE
        writer.close()


async def test_the_next_head_on_a_connection_has_to_come_as_well(served: tuple[Application, Address]) -> None:
    async with asyncio.timeout(10):
        reader, writer = await say(served[1], GET)
        assert await answered(reader) == b"HTTP/1.1 200 OK /x "
        writer.write(GET[:-3])
        assert await reader.read() == LATE
        writer.close()


async def test_a_head_that_began_behind_a_request_has_to_come_as_well(served: tuple[Application, Address]) -> None:
    handler, address = served
    async with asyncio.timeout(10):
        reader, writer = await say(address, b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await handler.reached.wait()
        writer.write(GET[:-3])
        other = await say(address)  # by whose end the bytes above are there
        assert await other[0].read() == LATE
        other[1].close()
        handler.go.set()
        assert await answered(reader) == b"HTTP/1.1 200 OK /slow "
        assert await reader.read() == LATE
        writer.close()


async def test_what_takes_long_to_answer_is_not_late(served: tuple[Application, Address]) -> None:
    handler, address = served
    async with asyncio.timeout(10):
        reader, writer = await say(address, b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        other = await say(address)  # whose head does not come: by its end, the first one's time would be over too
        assert await other[0].read() == LATE
        handler.go.set()
        assert await answered(reader) == b"HTTP/1.1 200 OK /slow "
        writer.write(GET)
        assert await answered(reader) == b"HTTP/1.1 200 OK /x "
        for open_one in (writer, other[1]):
            open_one.close()


async def test_a_body_has_to_come_in_time(served: tuple[Application, Address], monkeypatch: pytest.MonkeyPatch) -> None:
    post = b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n"
    async with asyncio.timeout(10):
        reader, writer = await say(served[1], post, b"wh", b"ole")
        assert await answered(reader) == b"HTTP/1.1 200 OK /x whole"
        writer.close()
        monkeypatch.setattr(hurried, "BODY_S", 0.05)
        reader, writer = await say(served[1], post, b"wh")
        assert (await answered(reader)).startswith(b"HTTP/1.1 408 Request Timeout")
        writer.close()


@pytest.mark.parametrize(
    "raw", [b"GET /a b HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\r\n\r\n"]
)
async def test_a_malformed_request_is_a_line_and_no_error(
    served: tuple[Application, Address], raw: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with asyncio.timeout(10):
        reader, writer = await say(served[1], raw)
        assert b" 400 " in await reader.read()
        writer.close()
    # what is no HTTP at all, as TLS, is not told
    assert len(caplog.records) == (raw[:1] == b"G")
    for record in caplog.records:
        assert (record.levelname, record.exc_info) == ("INFO", None)
        assert record.getMessage().startswith("malformed admin request: ")
        assert "\n" not in record.getMessage()
