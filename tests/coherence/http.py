"""The smallest HTTP/1.1 client that will do: one connection, one request at a time, lengths announced."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

HOST = "registers.example"
"""Every node is asked for the same authority, as behind one load balancer."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole response. Field names are lower case."""

    status: int
    fields: dict[str, str]
    body: bytes


class Connection:
    """A connection to one port that is opened when needed and again after any failure."""

    def __init__(self, port: int, host: str = HOST) -> None:
        self._port = port
        self._host = host
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: bytes = b"", timeout_s: float = 20.0) -> Reply:
        """One exchange. Raises OSError, EOFError, ValueError or TimeoutError; the connection is then closed."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._exchange(method, path, body)
        except BaseException:
            self.close()
            raise

    async def _exchange(self, method: str, path: str, body: bytes) -> Reply:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\n"
        if method != "GET":
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        writer.write(head.encode() + b"\r\n" + body)
        start, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if colon:
                fields[name.lower()] = value.strip()
        length = int(fields["content-length"]) if "content-length" in fields else None
        if length is None:
            raise ValueError(f"no length: {start}")
        reply = Reply(int(start.split(" ", 2)[1]), fields, await reader.readexactly(length))
        if fields.get("connection", "").lower() == "close":
            self.close()
        return reply

    def close(self) -> None:
        """Drop the connection, if there is one."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None
