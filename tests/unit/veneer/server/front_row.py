"""Connections on a loop whose turn ends when the test says so, and what is asked and sent on them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from veneer.loop.turn import Outgoing, WriteBatch
from veneer.server.arrivals import TickBatcher
from veneer.server.bounds import ConnectionSettings, MalformedRequest
from veneer.server.connection import ClientConnection
from veneer.server.link import ConnectionHandle
from veneer.server.quick import FastPath, FastPathHandler
from veneer.server.tunnel import ClientTunnel


def refused(found: MalformedRequest) -> bytes:
    """What a client is told whose request is malformed."""
    return f"HTTP/1.1 {found.status} No\r\n\r\n".encode()


class Behind:
    """Takes everything, and refers to its connection as aiohttp's protocol does."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.taken: list[bytes] = []
        self.ended = self.lost = False
        self.idle = True

    def connection_taken(self, transport: asyncio.Transport) -> bool:
        return True

    def connection_lost(self, exc: BaseException | None) -> None:
        self.lost = True

    def client_ended(self) -> bool:
        self.ended = True
        return False

    def has_more(self) -> bool:
        return False

    def pause_writing(self) -> None:
        return

    def resume_writing(self) -> None:
        return

    async def drained(self) -> None:
        return

    def is_idle(self) -> bool:
        return self.idle

    def take(self, data: bytes) -> None:
        self.idle = False
        self.taken.append(data)

    def feed(self, tunnel: ClientTunnel) -> None:
        return


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self, events: list[str]) -> None:
        super().__init__()
        self._events = events

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._events.append(f"sent {bytes(data).decode()}")

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        self._events.append("closed")

    def abort(self) -> None:
        self._events.append("aborted")


class Talk(FastPathHandler):
    """Answers what does not begin with "not", and fails at what begins with "fail"."""

    def __init__(self, events: list[str], write: Callable[[list[bytes]], None]) -> None:
        self._events = events
        self._write = write

    def answer(self, data: bytes) -> bool:
        if data.startswith(b"not"):
            return False
        if data.startswith(b"fail"):
            raise ZeroDivisionError
        self._events.append(f"asked {data.decode()}")
        self._write([data.upper()])
        return True


class Way(FastPath):
    """Tells what it was shown."""

    def __init__(self, events: list[str]) -> None:
        self._events = events

    def connect(self, link: ConnectionHandle, write: Callable[[list[bytes]], None]) -> FastPathHandler:
        return Talk(self._events, write)

    def prefetch(self, handlers: list[FastPathHandler], data: list[bytes]) -> None:
        assert len(handlers) == len(data)
        self._events.append(f"foreseen {b' '.join(data).decode()}")


class FrontRow:
    """Connections of one loop. `events` tells what was shown, asked and sent, in order."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self._calls: list[Callable[[], None]] = []
        self._turn = WriteBatch(self._call_soon)
        self._way = Way(self.events)
        self._arrivals = TickBatcher(self._call_soon, self._turn, self._way)

    def _call_soon(self, callback: Callable[[], None]) -> None:
        self._calls.append(callback)

    def end_turn(self) -> list[str]:
        """What has happened up to the end of the turn."""
        calls, self._calls = self._calls, []
        for call in calls:
            call()
        events = list(self.events)
        self.events.clear()
        return events

    def connection(self) -> tuple[ClientConnection, Behind]:
        """One more, open."""
        loop, settings = asyncio.get_running_loop(), ConnectionSettings()
        connection = ClientConnection(loop, Outgoing(self._turn), self._arrivals, settings, self._way)
        behind = Behind(connection)
        connection.place(behind)
        connection.connection_made(Transport(self.events))
        return connection, behind

    def connections(self, count: int) -> list[ClientConnection]:
        """So many, open."""
        return [self.connection()[0] for _ in range(count)]
