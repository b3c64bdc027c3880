"""A lean HTTP/1.1 client, one connection per simulated user: the load must cost little of what it measures."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import cast

import httptools

from benchmarks.etter.mix import Person, Request


@dataclass(slots=True)
class Reply:
    """What came back. `status` 0 is a connection that broke or took too long."""

    status: int = 0
    body_bytes: int = 0
    cache_status: bytes = b""


@dataclass(slots=True)
class _Parser(asyncio.Protocol):
    """Feeds httptools and completes the reply that is waited for."""

    reply: Reply = field(default_factory=Reply)
    waiter: asyncio.Future[Reply] | None = None
    transport: asyncio.WriteTransport | None = None
    _parser: httptools.HttpResponseParser | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are write transports without saying so.
        self.transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        assert self._parser is not None
        self._parser.feed_data(data)

    def connection_lost(self, _error: Exception | None) -> None:
        self.transport = None
        self._finish(Reply())

    def send(self, head: bytes, waiter: asyncio.Future[Reply]) -> None:
        assert self.transport is not None
        self.reply, self.waiter = Reply(), waiter
        self._parser = httptools.HttpResponseParser(self)
        self.transport.write(head)

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"cache-status":
            self.reply.cache_status = value

    def on_headers_complete(self) -> None:
        assert self._parser is not None
        self.reply.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self.reply.body_bytes += len(body)

    def on_message_complete(self) -> None:
        self._finish(self.reply)

    def _finish(self, reply: Reply) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(reply)
        self.waiter = None


class Connection:
    """One user's connection, opened again when it breaks."""

    def __init__(self, host: str, port: int, person: Person, *, timeout_seconds: float) -> None:
        self._host, self._port = host, port
        self._timeout_seconds = timeout_seconds
        self._protocol: _Parser | None = None
        self._fields = (
            f"Host: {host}:{port}\r\nAccept: application/json\r\nAccept-Encoding: br, gzip\r\n".encode() + person.fields
        )

    async def ask(self, request: Request) -> Reply:
        """Send and wait for the reply; a failure of the connection is a reply with status 0."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                protocol = await self._connected()
                waiter: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
                protocol.send(self._head(request), waiter)
                return await waiter
        except (OSError, TimeoutError):
            self.close()
            return Reply()

    def close(self) -> None:
        """Close the connection."""
        if self._protocol is not None and self._protocol.transport is not None:
            self._protocol.transport.abort()
        self._protocol = None

    async def _connected(self) -> _Parser:
        if self._protocol is None or self._protocol.transport is None:
            loop = asyncio.get_running_loop()
            _, self._protocol = await loop.create_connection(_Parser, self._host, self._port)
        return self._protocol

    def _head(self, request: Request) -> bytes:
        line = f"{request.method} {request.path} HTTP/1.1\r\n".encode()
        if not request.body:
            return line + self._fields + b"\r\n"
        framing = f"Content-Type: application/json\r\nContent-Length: {len(request.body)}\r\n\r\n".encode()
        return line + self._fields + framing + request.body
