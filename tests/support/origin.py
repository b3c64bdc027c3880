"""A scripted origin on a raw loopback socket: it sends exactly the bytes a test wants, when it wants."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field


@dataclass
class OriginConnection:
    """One accepted connection, with what the script needs to hold a conversation."""

    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def request_head(self) -> bytes:
        """One request head, up to and with its empty line. Raises asyncio.IncompleteReadError at the end."""
        return await self.reader.readuntil(b"\r\n\r\n")

    async def send(self, *pieces: bytes) -> None:
        """Send each piece on its own, as far as the network lets that be seen."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            if len(pieces) > 1:
                await asyncio.sleep(0.001)

    async def closed_by_peer(self) -> bytes:
        """Everything up to the peer's close."""
        try:
            return await self.reader.read()
        except ConnectionError:
            return b""

    def reset(self) -> None:
        """Cut the connection without a farewell, unless it is closed already: asyncio fails at some that are."""
        transport = self.writer.transport
        if not transport.is_closing() or transport.get_write_buffer_size():
            transport.abort()


Script = Callable[[OriginConnection], Awaitable[None]]
"""Runs once for each connection; the connection is closed when it returns."""


@dataclass
class Origin:
    """A running origin: where it listens, and what it has seen."""

    url: str
    connections: list[OriginConnection] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    close: Callable[[], None] = lambda: None
    """Take no further connections."""


async def read_body(connection: OriginConnection, head: bytes) -> bytes:
    """The body announced by `head`: by Content-Length or chunked, decoded."""
    lower = head.lower()
    if b"transfer-encoding: chunked" in lower:
        body = b""
        while size := int(await connection.reader.readuntil(b"\r\n"), 16):
            body += await connection.reader.readexactly(size)
            assert await connection.reader.readexactly(2) == b"\r\n"
        assert await connection.reader.readexactly(2) == b"\r\n"
        return body
    _, found, rest = lower.partition(b"content-length: ")
    return await connection.reader.readexactly(int(rest.split(b"\r\n")[0])) if found else b""


def answering(*responses: bytes) -> Script:
    """A script that answers one request after another on each connection, repeating the last response for ever."""

    async def script(connection: OriginConnection) -> None:
        for position in range(1_000_000):
            head = await connection.request_head()
            await read_body(connection, head)
            await connection.send(responses[min(position, len(responses) - 1)])

    return script


@contextlib.asynccontextmanager
async def running_origin(
    script: Script,
    *,
    at: tuple[str, int] = ("127.0.0.1", 0),
    tls: ssl.SSLContext | None = None,
    unix_path: str | None = None,
) -> AsyncIterator[Origin]:
    """Serve `script` on a free port of 127.0.0.1, on another place, or on a unix socket, until the block ends.

    What the script raised beyond a lost connection is raised at the end.
    """
    origin = Origin("")

    class Recording(OriginConnection):
        async def request_head(self) -> bytes:
            head = await super().request_head()
            origin.heads.append(head)
            return head

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Recording(len(origin.connections), reader, writer)
        origin.connections.append(connection)
        try:
            await script(connection)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        except BaseException as error:  # noqa: BLE001 - handed to the test
            origin.errors.append(error)
        finally:
            writer.close()

    if unix_path is not None:
        server: asyncio.Server = await asyncio.start_unix_server(serve, unix_path)
        origin.url = f"unix:{unix_path}"
    else:
        server = await asyncio.start_server(serve, *at, ssl=tls)
        scheme = "http" if tls is None else "https"
        origin.url = f"{scheme}://{at[0]}:{server.sockets[0].getsockname()[1]}"
    origin.close = server.close
    try:
        yield origin
    finally:
        server.close()
        for connection in origin.connections:
            connection.reset()
        await asyncio.sleep(0)
    if origin.errors:
        raise origin.errors[0]


def held(gate: asyncio.Event, asked: asyncio.Event) -> Script:
    """Send the first half of a response, and the rest once the gate opens."""

    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        asked.set()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\nfirst")
        await gate.wait()
        await connection.send(b"-half")

    return script
