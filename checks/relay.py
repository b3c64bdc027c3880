"""A TCP relay between a node and Redis, or a backend, that can be cut, held, slowed, and made to lead nowhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from veneer.loop.tasks import Tasks

_MAX_UNDER_WAY: Final = 1000
"""Pieces that have been read and have not arrived."""


class _Connection:
    """Both directions of one; `forgotten` where nothing that is said on it arrives any more."""

    __slots__ = ("forgotten",)

    def __init__(self) -> None:
        self.forgotten = False


class Relay:
    """Carries bytes between its own port and a server's.

    `cut` resets every connection and refuses new ones; `hold` keeps them open and carries nothing, as a lost route
    does; what is read arrives `delay_s` later, each way; `mend` carries on, with what was held.
    `swallow` is a black hole: connections are taken, and nothing that is said on them arrives, then or later.
    `forget` makes those that there are half-open: neither end hears any more of the other, and new ones are carried.
    """

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._server: asyncio.Server | None = None
        self._tasks = Tasks()
        self._writers: set[asyncio.StreamWriter] = set()
        self._carried: set[_Connection] = set()
        self._open = asyncio.Event()
        self._open.set()
        self._refuse = self._swallows = False
        self.delay_s = 0.0
        self.port = 0

    @property
    def url(self) -> str:
        """The Redis URL of its own port."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self, port: int = 0) -> None:
        """Listen, on a free port unless told which."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def aclose(self) -> None:
        """Cut everything and stop listening."""
        self.cut()
        if self._server is not None:
            self._server.close()
        await self._tasks.aclose()

    def cut(self) -> None:
        """Reset every connection, refuse new ones."""
        self._refuse = True
        for writer in tuple(self._writers):
            writer.transport.abort()

    def hold(self) -> None:
        """Carry nothing."""
        self._open.clear()

    def forget(self) -> None:
        """Know none of the connections any more."""
        for connection in self._carried:
            connection.forgotten = True

    def swallow(self) -> None:
        """Let nothing arrive any more."""
        self._swallows = True
        self.forget()

    def mend(self) -> None:
        """Carry on: what has been forgotten stays so."""
        self._refuse = self._swallows = False
        self.delay_s = 0.0
        self._open.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuse:
            writer.transport.abort()
            return
        if self._swallows:
            await self._lead_nowhere(reader, writer)
            return
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:  # the server is gone: so is the way to it
            writer.transport.abort()
            return
        pair, connection = {writer, there_writer}, _Connection()
        self._writers |= pair
        self._carried.add(connection)
        try:
            there = self._tasks.start(self._carry(connection, reader, there_writer), "relay: there")
            back = self._tasks.start(self._carry(connection, there_reader, writer), "relay: back")
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            if connection.forgotten:  # who has come does not hear that the other end is closed
                await asyncio.wait({there})
            there.cancel()
            back.cancel()
        except asyncio.CancelledError:
            pass  # the loop is closing; its stream server reports a cancelled connection as an error
        finally:
            self._writers -= pair
            self._carried.discard(connection)
            for end in pair:
                end.transport.abort()

    async def _lead_nowhere(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            with suppress(ConnectionError):
                while await reader.read(65536):
                    pass
        except asyncio.CancelledError:
            pass  # as below
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _carry(self, connection: _Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read on while what was read is on its way: a long way is not a narrow one."""
        clock = asyncio.get_running_loop()
        pieces = asyncio.Queue[tuple[float, bytes]](_MAX_UNDER_WAY)
        arriving = self._tasks.start(self._arrive(connection, pieces, writer), "relay: arriving")
        try:
            with suppress(ConnectionError):
                while data := await reader.read(65536):
                    await pieces.put((clock.time() + self.delay_s, data))
            await pieces.put((clock.time() + self.delay_s, b""))
            await arriving
        finally:
            arriving.cancel()

    async def _arrive(
        self, connection: _Connection, pieces: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        clock = asyncio.get_running_loop()
        with suppress(ConnectionError):
            while True:
                due_s, data = await pieces.get()
                if due_s > clock.time():
                    await asyncio.sleep(due_s - clock.time())
                await self._open.wait()
                if not data:
                    return
                if connection.forgotten:
                    continue
                writer.write(data)
                await writer.drain()


@asynccontextmanager
async def relay(target_port: int) -> AsyncIterator[Relay]:
    """A relay that carries."""
    between = Relay(target_port)
    await between.start()
    try:
        yield between
    finally:
        await between.aclose()
