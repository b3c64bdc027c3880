"""Accepting connections, and ending them in order: stop listening, let requests finish, then close."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from dataclasses import dataclass

from veneer.loop.tasks import Tasks
from veneer.server.protocol import FrontServer
from veneer.server.scarcity import Scarcity

BACKLOG = 2048
"""Connections that may wait to be accepted; the system may allow less (net.core.somaxconn)."""


ACCEPTED_AT_ONCE = 64
"""Connections accepted in one iteration of the loop. uvloop takes one: in a busy loop clients would wait for long."""

LAST_CALL_S = 0.2
"""Who has connected by the end of listening, and says nothing for so long, was not about to ask."""
LOOK_EVERY_S = 0.02


class ListenError(Exception):
    """The address cannot be listened on; the message says why and what to change."""


@dataclass(frozen=True, slots=True)
class Address:
    """Host and port; port 0 lets the system choose."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """From "host:port", "[v6]:port" or ":port". Raises ValueError."""
        host, separator, port = text.rpartition(":")
        if not separator or not port.isdigit() or int(port) > 65535:
            message = f"{text!r} is not HOST:PORT, such as 127.0.0.1:8080"
            raise ValueError(message)
        return cls(host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Listener:
    """Listening in front of a `FrontServer`: on sockets of its own, or on one that listens already (`inherited`)."""

    def __init__(
        self,
        server: FrontServer,
        address: Address,
        tasks: Tasks,
        *,
        inherited: socket.socket | None = None,
        scarcity: Scarcity | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._server = server
        self._wanted = address
        self._tasks = tasks
        self._inherited = inherited
        self._tls = tls
        self._scarcity = scarcity or Scarcity(lambda: asyncio.get_running_loop().time())
        self._listening: asyncio.Server | None = None
        self._queues: list[socket.socket] = []

    async def start(self) -> Address:
        """Listen; returns the address with the port in use. Raises ListenError."""
        loop = asyncio.get_running_loop()
        host, port = self._wanted.host, self._wanted.port
        try:
            if self._inherited is not None:
                self._listening = await loop.create_server(
                    self._accepted, sock=self._inherited, backlog=BACKLOG, ssl=self._tls
                )
            else:
                self._listening = await loop.create_server(self._accepted, host, port, backlog=BACKLOG, ssl=self._tls)
        except OSError as error:
            message = f"cannot listen on {self._wanted}: {error.strerror or error}"
            raise ListenError(message) from error
        self._queues = [socket.socket(fileno=os.dup(found.fileno())) for found in self._listening.sockets]
        for queue in self._queues:
            queue.setblocking(False)
        return Address(host, int(self._listening.sockets[0].getsockname()[1]))

    def _accepted(self) -> asyncio.Protocol:
        """The protocol of a connection that the loop has accepted; whoever waits behind it is accepted too."""
        scarce = False
        for queue in self._queues:
            for _ in range(ACCEPTED_AT_ONCE):
                try:
                    connection, _ = queue.accept()
                except OSError as error:  # Nobody waits, or has given up, unless something is missing.
                    scarce = self._scarcity.is_scarce(error) or scarce
                    break
                connection.setblocking(False)
                self._tasks.start(self._take(connection), "take a connection")
        if not scarce:
            self._scarcity.accepted()
        return self._server.connection()

    async def _take(self, connection: socket.socket) -> None:
        """Serve an accepted connection; close it when that cannot be."""
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._server.connection, connection, ssl=self._tls)
        except OSError:
            connection.close()
        except asyncio.CancelledError:
            connection.close()
            raise

    async def stop(self, drain_s: float) -> None:
        """Accept no more, give running requests `drain_s` seconds to end, then close what is left.

        A request of who has connected a moment ago may be on its way: closing before it is read would break a promise
        that accepting has made. Every answer is the last on its connection by then.
        """
        if self._listening is None:
            return
        self._listening.close()
        for queue in self._queues:
            queue.close()
        self._queues.clear()
        self._server.end_connections()
        clock = asyncio.get_running_loop()
        until_s = clock.time() + min(LAST_CALL_S, drain_s)
        while self._server.connections and clock.time() < until_s:  # noqa: ASYNC110 - the last to leave tells nobody
            await asyncio.sleep(LOOK_EVERY_S)
        self._server.pre_shutdown()
        await self._server.shutdown(drain_s)
        self._listening = None
