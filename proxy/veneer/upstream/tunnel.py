"""The backend's raw stream after 101 Switching Protocols."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from veneer.ports import UpstreamError
from veneer.upstream.connection import Connection

LINGER_S: Final = 2.0
"""So long a backend that has been told the end may take to read it and to end too."""


class BackendTunnel:
    """Implements `veneer.ports.Tunnel`."""

    __slots__ = ("_connection", "_last", "_on_close", "_told_end", "stopped")

    def __init__(self, connection: Connection, on_close: Callable[[], None]) -> None:
        self._connection = connection
        self._on_close = on_close
        self._told_end = False
        self._last: list[bytes] = []
        self.stopped = False
        """Whether no more is taken from the backend."""

    async def read(self) -> bytes:
        """The next bytes; empty at the end."""
        connection = self._connection
        pieces: list[bytes] = []
        while not self.stopped and not (pieces := connection.pop_pieces()) and not connection.ended:
            await connection.wait_for_progress()
        last, self._last = self._last, []
        return b"".join([*pieces, *last])

    async def write(self, data: bytes) -> None:
        """Send bytes, waiting while the backend is slow. Raises UpstreamError when it is gone."""
        if not self._told_end:
            await self._connection.write(data)

    async def end(self) -> None:
        """Tell the backend that nothing more comes, once all that was written has left. Raises UpstreamError."""
        transport = self._connection.transport
        if self._told_end or transport is None:
            return
        self._told_end = True
        transport.set_write_buffer_limits(high=0)
        await self._connection.write(b"")
        if transport.can_write_eof():
            transport.write_eof()
        else:  # TLS: there is no half of it to close
            transport.close()

    def stop(self) -> None:
        """Take no more from the backend."""
        if not self.stopped:
            self.stopped = True
            self._last = self._connection.pop_pieces()
            self._connection.wake()

    async def aclose(self) -> None:
        """Close the connection once the backend has everything and has ended too, but wait for that only briefly."""
        self.stop()
        connection = self._connection
        with suppress(TimeoutError, UpstreamError):
            async with asyncio.timeout(LINGER_S):
                await self.end()
                while not connection.ended:
                    connection.pop_pieces()
                    await connection.wait_for_progress()
        self.cut()

    def cut(self) -> None:
        """Close the connection at once."""
        self._on_close()
