"""Accepting connections, and ending them in order: stop listening, let requests finish, then close."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass

from proxy.app.server.protocol import FrontServer

BACKLOG = 2048
"""Connections that may wait to be accepted; the system may allow less (net.core.somaxconn)."""


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
    """One listening socket in front of a `FrontServer`: one of its own, or one that listens already (`inherited`)."""

    def __init__(
        self,
        server: FrontServer,
        address: Address,
        *,
        inherited: socket.socket | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._server = server
        self._wanted = address
        self._inherited = inherited
        self._tls = tls
        self._listening: asyncio.Server | None = None

    async def start(self) -> Address:
        """Listen; returns the address with the port in use. Raises ListenError."""
        loop = asyncio.get_running_loop()
        host, port = self._wanted.host, self._wanted.port
        try:
            if self._inherited is not None:
                self._listening = await loop.create_server(
                    self._server, sock=self._inherited, backlog=BACKLOG, ssl=self._tls
                )
            else:
                self._listening = await loop.create_server(self._server, host, port, backlog=BACKLOG, ssl=self._tls)
        except OSError as error:
            message = f"cannot listen on {self._wanted}: {error.strerror or error}"
            raise ListenError(message) from error
        return Address(host, int(self._listening.sockets[0].getsockname()[1]))

    async def stop(self, drain_s: float) -> None:
        """Accept no more, give running requests `drain_s` seconds to end, then close what is left."""
        if self._listening is None:
            return
        self._listening.close()
        self._server.pre_shutdown()
        await self._server.shutdown(drain_s)
        self._listening = None
