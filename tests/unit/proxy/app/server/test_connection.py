"""A connection and what stands behind it."""

from __future__ import annotations

import asyncio
import gc
import weakref

from proxy.app.server.bounds import ConnectionSettings
from proxy.app.server.connection import ClientConnection
from proxy.app.server.tunnel import ClientTunnel
from proxy.turn import Turn


class Behind:
    """Takes everything, and refers to its connection as aiohttp's protocol does."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.lost = False

    def connection_taken(self, transport: asyncio.Transport) -> bool:
        return True

    def connection_lost(self, exc: BaseException | None) -> None:
        self.lost = True

    def eof_received(self) -> None:
        return

    def pause_writing(self) -> None:
        return

    def resume_writing(self) -> None:
        return

    async def drained(self) -> None:
        return

    def is_idle(self) -> bool:
        return True

    def take(self, data: bytes) -> None:
        return

    def feed(self, tunnel: ClientTunnel) -> None:
        return


async def test_a_lost_connection_keeps_nothing_alive() -> None:
    loop = asyncio.get_running_loop()
    connection = ClientConnection(loop, Turn(loop.call_soon), ConnectionSettings())
    behind = Behind(connection)
    connection.place(behind)
    connection.connection_made(asyncio.Transport())
    kept = weakref.ref(behind)
    gc.disable()
    try:
        connection.connection_lost(None)
        assert behind.lost
        del behind
        assert kept() is None
    finally:
        gc.enable()
