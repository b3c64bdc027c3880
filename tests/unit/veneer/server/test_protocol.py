"""What aiohttp reads, and when a client ends meanwhile."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from aiohttp import web

from tests.unit.veneer.server.front_row import Transport
from veneer.server.bounds import ConnectionSettings, MalformedRequest
from veneer.server.connection import ClientConnection
from veneer.server.protocol import AlreadySent, FrontServer


def refused(found: MalformedRequest) -> bytes:
    return f"HTTP/1.1 {found.status} No\r\n\r\n".encode()


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
