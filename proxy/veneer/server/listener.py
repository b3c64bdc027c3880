"""Accepting connections, and ending them in order: stop listening, let requests finish, then close."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable

from veneer.core.listen_address import Address, ListenAddress, UnixAddress
from veneer.loop.tasks import Tasks
from veneer.server.protocol import FrontServer
from veneer.server.scarcity import Scarcity
from veneer.server.sockets import BACKLOG, UnixSocket, cannot

ACCEPTED_AT_ONCE = 64
"""Connections accepted in one iteration of the loop. uvloop takes one: in a busy loop clients would wait for long."""

LAST_CALL_S = 0.2
"""Who has connected by the end of listening, and says nothing for so long, was not about to ask."""
LOOK_EVERY_S = 0.02


class Listener:
    """Listening in front of a `FrontServer`: on sockets of its own, or on one that listens already (`inherited`).

    `connection` makes the protocol of each accepted connection, where that is not the server's own at once. `mode` is
    that of the file of a socket that is made here.
    """

    def __init__(
        self,
        server: FrontServer,
        address: ListenAddress,
        tasks: Tasks,
        *,
        inherited: socket.socket | None = None,
        scarcity: Scarcity | None = None,
        connection: Callable[[], asyncio.Protocol] | None = None,
        mode: int = 0o660,
    ) -> None:
        self._server = server
        self._wanted = address
        self._tasks = tasks
        self._inherited = inherited
        self._connection = connection or server.connection
        self._mode = mode
        self._scarcity = scarcity or Scarcity(lambda: asyncio.get_running_loop().time())
        self._listening: asyncio.Server | None = None
        self._unix: UnixSocket | None = None
        self._queues: list[socket.socket] = []

    async def start(self) -> ListenAddress:
        """Listen; returns the address with the port in use. Raises ListenError."""
        self._listening = listening = await self._listen()
        self._queues = [socket.socket(fileno=os.dup(found.fileno())) for found in listening.sockets]
        for queue in self._queues:
            queue.setblocking(False)
        if isinstance(self._wanted, UnixAddress):
            return self._wanted
        return Address(self._wanted.host, int(listening.sockets[0].getsockname()[1]))

    async def _listen(self) -> asyncio.Server:
        loop, wanted, inherited = asyncio.get_running_loop(), self._wanted, self._inherited
        if isinstance(wanted, UnixAddress) and inherited is None:
            self._unix = UnixSocket.listening(wanted, self._mode)
            inherited = self._unix.socket
        try:
            if isinstance(wanted, UnixAddress):
                return await loop.create_unix_server(self._accepted, sock=inherited, backlog=BACKLOG)
            if inherited is not None:
                return await loop.create_server(self._accepted, sock=inherited, backlog=BACKLOG)
            return await loop.create_server(self._accepted, wanted.host, wanted.port, backlog=BACKLOG)
        except OSError as error:
            self._let_go()
            raise cannot(wanted, error) from error

    def _let_go(self) -> None:
        """Remove the file of a socket that was made here."""
        if self._unix is not None:
            self._unix.remove()
            self._unix = None

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
        return self._connection()

    async def _take(self, connection: socket.socket) -> None:
        """Serve an accepted connection; close it when that cannot be."""
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._connection, connection)
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
        self._let_go()
        self._server.end_connections()
        clock = asyncio.get_running_loop()
        until_s = clock.time() + min(LAST_CALL_S, drain_s)
        while self._server.connections and clock.time() < until_s:  # noqa: ASYNC110 - the last to leave tells nobody
            await asyncio.sleep(LOOK_EVERY_S)
        self._server.pre_shutdown()
        await self._server.shutdown(drain_s)
        self._listening = None
