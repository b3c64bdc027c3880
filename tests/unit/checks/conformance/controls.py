"""Two wrong proxies: one that never caches, one that caches everything. The harness has to see through both."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from checks.conformance.client import Client, FetchError
from checks.conformance.engine import Engine
from checks.conformance.origin import Origin
from checks.conformance.wire import Trace, content_length, read_exactly, read_head

_OWN_FIELDS = frozenset({"host", "connection", "content-length", "transfer-encoding", "keep-alive"})


class Glutton:
    """Answers every test request after the first from its store, whatever the request and the response say."""

    def __init__(self, origin_port: int) -> None:
        self._origin_port = origin_port
        self._stored: dict[str, bytes] = {}
        self._serving: list[asyncio.Task[None]] = []

    async def finished(self) -> None:
        """Wait until every client has hung up."""
        await asyncio.gather(*self._serving)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        task = asyncio.current_task()
        assert task is not None
        self._serving.append(task)
        try:
            while (head := await read_head(reader)) is not None:
                method, target, _ = head.start.split(" ", 2)
                body = await read_exactly(reader, content_length(head.lines) or 0)
                if method != "GET" or target not in self._stored:
                    fields = [(name, value) for name, value in head.lines if name.lower() not in _OWN_FIELDS]
                    answer = await self._forward(method, target, fields, body)
                    if target.startswith("/test/"):
                        self._stored.setdefault(target, answer)
                else:
                    answer = self._stored[target]
                writer.write(answer)
                await writer.drain()
        except (ConnectionError, FetchError):
            pass
        finally:
            writer.close()

    async def _forward(self, method: str, target: str, fields: list[tuple[str, str]], body: bytes) -> bytes:
        client = Client("127.0.0.1", self._origin_port)
        try:
            response = await client.fetch(method, target, fields, body or None)
        finally:
            client.close()
        kept = [f"{name}: {value}" for name, value in response.lines if name.lower() not in _OWN_FIELDS]
        head = [f"HTTP/1.1 {response.status} {response.reason}", *kept, f"Content-Length: {len(response.body)}"]
        return "\r\n".join([*head, "", ""]).encode("latin-1") + response.body


@asynccontextmanager
async def running_origin() -> AsyncIterator[int]:
    """A scripted origin whose clock stands still; gives its port."""
    origin = Origin(lambda: 1_800_000_000_000, idle_s=1.0)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        await origin.start(listener)
        try:
            yield listener.getsockname()[1]
        finally:
            await origin.aclose()


@asynccontextmanager
async def never_caching() -> AsyncIterator[Engine]:
    """Tests go straight to the origin."""
    async with running_origin() as port:
        yield Engine("127.0.0.1", port, Trace(), pause_s=0)


@asynccontextmanager
async def always_caching() -> AsyncIterator[Engine]:
    """Tests go through the glutton."""
    async with running_origin() as port:
        glutton = Glutton(port)
        server = await asyncio.start_server(glutton.serve, "127.0.0.1", 0)
        async with server:
            yield Engine("127.0.0.1", server.sockets[0].getsockname()[1], Trace(), pause_s=0)
            await glutton.finished()
