"""Connections on a loop whose iteration ends when the test says so, and what is asked and sent on them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from veneer.loop.batched_writes import WriteBatch, WriteBuffer
from veneer.server.batching import TickBatcher
from veneer.server.connection import ClientConnection
from veneer.server.limits import ConnectionSettings, MalformedRequest
from veneer.server.ports import ConnectionHandle, FastPath, FastPathHandler, PlainHandler
from veneer.server.tunnel import ClientTunnel


def refused(found: MalformedRequest) -> bytes:
    """What a client is told whose request is malformed."""
    return f"HTTP/1.1 {found.status} No\r\n\r\n".encode()


class Fallback:
    """Takes everything, and refers to its connection as aiohttp's protocol does."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.taken: list[bytes] = []
        self.ended = self.lost = False
        self.idle = True
        self.accepts = True

    def connection_taken(self, transport: asyncio.Transport) -> bool:
        return self.accepts

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

    def resume_reading(self) -> None:
        return


class Pending:
    """An answer that is on its way."""

    def leave(self) -> None:
        return

    def ended(self) -> bool:
        return True

    def cancel(self) -> None:
        return


class Handler(FastPathHandler):
    """Answers at once what is no "GET not", "GET miss" or "GET fail"."""

    def __init__(self, events: list[str], connection: ConnectionHandle, write: Callable[[list[bytes]], None]) -> None:
        self._events = events
        self._connection = connection
        self._write = write

    def answer(self, data: bytes) -> bool:
        if data.startswith((b"GET not", b"PUT /a HTTP")):
            return False
        if data.startswith(b"GET fail"):
            raise ZeroDivisionError
        self._events.append(f"asked {data.decode()}")
        if data.startswith(b"GET miss"):
            self._connection.reserve_for(Pending())
        else:
            self._write([data.upper()])
        return True


class Shown(FastPath):
    """Tells what it was shown."""

    def __init__(self, events: list[str]) -> None:
        self._events = events

    def connect(self, connection: ConnectionHandle, write: Callable[[list[bytes]], None]) -> FastPathHandler:
        return Handler(self._events, connection, write)

    def prefetch(self, handlers: list[FastPathHandler], data: list[bytes]) -> None:
        assert len(handlers) == len(data)
        self._events.append(f"shown {b' '.join(data).decode()}")


class FrontRow:
    """Connections of one loop. `events` tells what was shown, asked and sent, in order."""

    def __init__(self, plain: PlainHandler | None = None) -> None:
        self.events: list[str] = []
        self._calls: list[Callable[[], None]] = []
        self._writes = WriteBatch(self._call_soon)
        self._fastpath = Shown(self.events)
        self._plain = plain
        self._batcher = TickBatcher(self._call_soon, self._writes, self._fastpath)

    def _call_soon(self, callback: Callable[[], None]) -> None:
        self._calls.append(callback)

    def end_iteration(self) -> list[str]:
        """What has happened up to the end of the loop's iteration."""
        calls, self._calls = self._calls, []
        for call in calls:
            call()
        events = list(self.events)
        self.events.clear()
        return events

    def connection(self, kind: type[ClientConnection] = ClientConnection) -> tuple[ClientConnection, Fallback]:
        """One more, open."""
        loop, settings = asyncio.get_running_loop(), ConnectionSettings()
        connection = kind(loop, WriteBuffer(self._writes), self._batcher, settings, self._fastpath, self._plain)
        fallback = Fallback(connection)
        connection.set_fallback(fallback)
        connection.connection_made(Transport(self.events))
        return connection, fallback

    def connections(self, count: int) -> list[ClientConnection]:
        """So many, open."""
        return [self.connection()[0] for _ in range(count)]
