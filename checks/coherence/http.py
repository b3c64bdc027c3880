"""The smallest HTTP/1.1 client that will do: one connection, one request at a time, lengths announced or in chunks.

It costs little, so that the checker does not take from the nodes the processor time that it measures them with.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import cast

HOST = "registers.example"
"""Every node is asked for the same authority, as behind one load balancer."""

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n")
_CLOSE = b"\r\nconnection: close\r\n"
_CHUNKED = b"\r\ntransfer-encoding: chunked\r\n"


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole response; `head` is in lower case and ends with its last field's line."""

    status: int
    head: bytes
    body: bytes

    @property
    def fields(self) -> dict[str, str]:
        """The fields, in lower case; taken apart only when somebody looks."""
        lines = (line.partition(":") for line in self.head.decode("latin-1").split("\r\n")[1:])
        return {name: value.strip() for name, colon, value in lines if colon}

    @property
    def cache_status(self) -> str:
        """What the cache says it did."""
        return self.head.partition(b"\r\ncache-status: ")[2].partition(b"\r\n")[0].decode("latin-1")


def dechunked(raw: bytes) -> bytes | None:
    """The body that these chunks are, once they are all there and followed by no trailers; else None."""
    body, at = b"", 0
    while (end := raw.find(b"\r\n", at)) >= 0:
        size = int(raw[at:end].partition(b";")[0], 16)
        at = end + 2 + size + 2
        if at > len(raw):
            return None
        if not size:
            return body
        body += raw[end + 2 : at - 2]
    return None


class _Wire(asyncio.Protocol):
    """One connection, once."""

    def __init__(self) -> None:
        self._got = b""
        self._answer: asyncio.Future[Reply] | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's does not say that it is one

    def ask(self, raw: bytes) -> asyncio.Future[Reply]:
        """Send a request; the future has its answer, or OSError, EOFError or ValueError."""
        answer = self._answer = asyncio.get_running_loop().create_future()
        if self.transport is None or self.transport.is_closing():
            answer.set_exception(EOFError("closed"))
        else:
            self.transport.write(raw)
        return answer

    def data_received(self, data: bytes) -> None:
        self._got += data
        end = self._got.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._got[: end + 2].lower()
        length = _LENGTH.search(head)
        body: bytes | None = self._got[end + 4 :]
        if length is not None:
            body = None if len(self._got) < end + 4 + int(length[1]) else body
        elif _CHUNKED in head:
            body = dechunked(self._got[end + 4 :])
        else:
            self._settle(ValueError(f"no length: {head[:80]!r}"))
            return
        if body is not None:
            self._got = b""
            self._settle(Reply(int(head[9:12]), head, body))
            if _CLOSE in head and self.transport is not None:
                self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._settle(error or EOFError("the connection was closed"))

    def _settle(self, outcome: Reply | Exception) -> None:
        if self._answer is None or self._answer.done():
            return
        if isinstance(outcome, Reply):
            self._answer.set_result(outcome)
        else:
            self._answer.set_exception(outcome)


class Connection:
    """A connection to one port that is opened when needed and again after any failure."""

    def __init__(self, port: int, host: str = HOST) -> None:
        self._port = port
        self._host = host
        self._wire: _Wire | None = None

    async def ask(self, method: str, path: str, body: bytes = b"", timeout_s: float = 20.0, fields: str = "") -> Reply:
        """One exchange; `fields` are more lines of the head, each with its CR LF.

        Raises OSError, EOFError, ValueError or TimeoutError; the connection is then closed.
        """
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\n{fields}"
        if method != "GET":
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        try:
            async with asyncio.timeout(timeout_s):
                return await (await self._connected()).ask(head.encode() + b"\r\n" + body)
        except BaseException:
            self.close()
            raise

    async def _connected(self) -> _Wire:
        wire = self._wire
        if wire is None or wire.transport is None or wire.transport.is_closing():
            _, wire = await asyncio.get_running_loop().create_connection(_Wire, "127.0.0.1", self._port)
            self._wire = wire
        return wire

    def close(self) -> None:
        """Drop the connection, if there is one."""
        if self._wire is not None and self._wire.transport is not None:
            self._wire.transport.abort()
        self._wire = None
