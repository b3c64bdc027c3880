"""The client's raw stream after 101 Switching Protocols."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Protocol

from veneer.ports import ClientGoneError

HIGH_WATER_BYTES = 256 * 1024

LINGER_S = 2.0
"""So long a client that has been told the end may take to read it and to end too."""


class RawStream(Protocol):
    """Bytes out, back-pressure, and reading switched off and on."""

    def write(self, data: bytes) -> None:
        """Queue bytes. Raises ClientGoneError when the connection is closed."""
        ...

    async def drain(self) -> None:
        """Wait while the peer is slow."""
        ...

    async def drained(self) -> None:
        """Wait until all bytes have left. Raises ClientGoneError."""
        ...

    def end_writing(self) -> None:
        """Tell the peer that nothing more comes."""
        ...

    def abort(self) -> None:
        """Cut the connection."""
        ...

    def set_reading(self, reading: bool) -> None:
        """Pause or resume reading from the socket."""
        ...


class ClientTunnel:
    """Implements the `Tunnel` port; fed by the protocol, which also stops it when the proxy stops."""

    def __init__(self, stream: RawStream) -> None:
        self._stream = stream
        self._chunks: deque[bytes] = deque()
        self._buffered_bytes = 0
        self._ended = False
        self._told_end = False
        self._arrived = asyncio.Event()
        self.stopped = False
        """Whether no more is taken from the client."""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take bytes from the socket; the shape is that of aiohttp's payload parsers."""
        if not self.stopped:
            self._chunks.append(bytes(data))
            self._buffered_bytes += len(data)
            if self._buffered_bytes > HIGH_WATER_BYTES:
                self._stream.set_reading(False)
            self._arrived.set()
        return False, b""

    def feed_eof(self) -> None:
        """The client sends no more, or has gone."""
        self._ended = True
        self._arrived.set()

    def stop(self) -> None:
        """Take no more. The socket is still read, so that the client's end is seen."""
        self.stopped = True
        self._stream.set_reading(True)
        self._arrived.set()

    async def read(self) -> bytes:
        """The next bytes; empty at the end."""
        while not self._chunks and not self._ended and not self.stopped:
            self._arrived.clear()
            await self._arrived.wait()
        if not self._chunks:
            return b""
        data = b"".join(self._chunks)
        self._chunks.clear()
        self._buffered_bytes = 0
        self._stream.set_reading(True)
        return data

    async def write(self, data: bytes) -> None:
        """Send bytes, waiting while the client is slow."""
        if not self._told_end:
            self._stream.write(data)
            await self._stream.drain()

    async def end(self) -> None:
        """Tell the client that nothing more comes, once all that was written has left."""
        if not self._told_end:
            self._told_end = True
            await self._stream.drained()
            self._stream.end_writing()

    async def aclose(self) -> None:
        """Close the connection once the client has everything and has ended too, but wait for that only briefly."""
        self.stop()
        with suppress(TimeoutError, ClientGoneError):
            async with asyncio.timeout(LINGER_S):
                await self.end()
                while not self._ended:
                    self._arrived.clear()
                    await self._arrived.wait()
        self.cut()

    def cut(self) -> None:
        """Close the connection at once."""
        self._stream.abort()
