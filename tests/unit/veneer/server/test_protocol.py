"""What aiohttp reads, and when a client ends meanwhile."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from aiohttp import web

from tests.unit.veneer.server.front_row import Transport, refused
from veneer.server.already_sent import AlreadySent
from veneer.server.connection import ClientConnection
from veneer.server.limits import ConnectionSettings, MalformedRequest
from veneer.server.plain import PlainRequest
from veneer.server.ports import ConnectionHandle
from veneer.server.protocol import FrontServer


@pytest.mark.parametrize("iterations", range(8))
async def test_a_client_may_end_at_any_moment_after_it_has_asked(iterations: int) -> None:
    """aiohttp takes a request up in one iteration of the loop, and begins with it in the next."""
    asked, answered = asyncio.Event(), asyncio.Event()

    async def answer(_request: web.BaseRequest) -> web.StreamResponse:
        asked.set()
        await answered.wait()
        return AlreadySent(keep_alive=False)

    server = FrontServer(answer, ConnectionSettings(), refused)
    connection = cast("ClientConnection", server.connection())
    connection.connection_made(Transport([]))
    await asyncio.sleep(0)
    connection.data_received(b"PURGE /a HTTP/1.1\r\nHost: site\r\n\r\n")
    for _ in range(iterations):
        await asyncio.sleep(0)
    assert connection.eof_received(), "the transport closes, and nobody gets the answer"
    await asked.wait()
    answered.set()
    await server.shutdown(1)


class Telling:
    """Requests that never end by themselves, and that have something to tell when they are cut short."""

    def __init__(self) -> None:
        self.begun, self.cut, self.told = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def answer(self, _request: web.BaseRequest) -> web.StreamResponse:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cut.set()
            await self.told.wait()
            raise
        return AlreadySent(keep_alive=False)

    def begin(self, _request: PlainRequest, connection: ConnectionHandle) -> asyncio.Task[None]:
        async def run() -> None:
            try:
                await self.answer(cast("web.BaseRequest", None))
            finally:
                connection.exchange_done(keep_alive=False)

        return asyncio.get_running_loop().create_task(run())


@pytest.mark.parametrize("asked", [b"PURGE /a HTTP/1.1", b"PUT /a HTTP/1.1"], ids=["aiohttp", "plain"])
async def test_who_is_cut_short_sees_the_end_after_it_was_told(asked: bytes) -> None:
    """A write that a stop cuts short is in doubt: no other node may serve what was before, once its client knows."""
    telling, events = Telling(), list[str]()
    server = FrontServer(telling.answer, ConnectionSettings(), refused, plain=telling)
    connection = cast("ClientConnection", server.connection())
    connection.connection_made(Transport(events))
    await asyncio.sleep(0)
    connection.data_received(asked + b"\r\nHost: site\r\n\r\n")
    await telling.begun.wait()
    stopping = asyncio.create_task(server.shutdown(0))  # noqa: TID251 - the test owns it
    await telling.cut.wait()
    ended, _ = await asyncio.wait([stopping], timeout=1)  # as long as other ends of a connection are waited for, twice
    assert not ended
    assert events == []
    telling.told.set()
    await stopping
    assert "closed" in events


LIMITS = ConnectionSettings(max_line_bytes=1_000, max_field_bytes=4_000)


@pytest.mark.parametrize(
    ("target_bytes", "cookie_bytes", "status"),
    [(10, 3_000, 200), (10, 5_000, 431), (5_000, 10, 414)],
    ids=["long", "too long a field", "too long a target"],
)
@pytest.mark.parametrize("first_bytes", [3, 20, 50, 70, 1_500, 2_900, 9_999])
async def test_a_head_means_the_same_in_whatever_pieces_it_comes(
    target_bytes: int, cookie_bytes: int, status: int, first_bytes: int
) -> None:
    statuses, closed = list[int](), asyncio.Event()

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        assert len(request.headers["Cookie"]) == cookie_bytes
        statuses.append(200)
        closed.set()
        return AlreadySent(keep_alive=False)

    def refuse(request: MalformedRequest) -> bytes:
        statuses.append(request.status)
        closed.set()
        return refused(request)

    server = FrontServer(answer, LIMITS, refuse)
    connection = cast("ClientConnection", server.connection())
    connection.connection_made(Transport([]))
    await asyncio.sleep(0)
    head = f"GET /{'a' * target_bytes} HTTP/1.1\r\nHost: site\r\nCookie: {'x' * cookie_bytes}\r\n\r\n".encode()
    connection.data_received(head[:first_bytes])
    for _ in range(3):
        await asyncio.sleep(0)  # what comes within one iteration is read at once
    if len(head) > first_bytes and not statuses:
        connection.data_received(head[first_bytes:])
    await asyncio.wait_for(closed.wait(), 10)
    await server.shutdown(1)
    assert statuses == [status]
