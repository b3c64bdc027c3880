"""The client's raw stream after 101 Switching Protocols."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

HIGH_WATER_BYTES = 256 * 1024


class RawWire(Protocol):
    """Octets out, back-pressure, and reading switched off and on."""

    def write(self, data: bytes) -> None:
        """Queue octets."""
        ...

    async def drain(self) -> None:
        """Wait while the peer is slow."""
        ...

    def abort(self) -> None:
        """Cut the connection."""
        ...

    def set_reading(self, reading: bool) -> None:
        """Pause or resume reading from the socket."""
        ...


class ClientTunnel:
    """Implements the `Tunnel` port; fed by the protocol through aiohttp's payload-parser hook."""

    def __init__(self, wire: RawWire, on_close: Callable[[], None] | None = None) -> None:
        self._wire = wire
        self._chunks: deque[bytes] = deque()
        self._buffered_bytes = 0
        self._ended = False
        self._arrived = asyncio.Event()
        self._on_close = on_close

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take octets from the socket; the shape is that of aiohttp's payload parsers."""
        self._chunks.append(bytes(data))
        self._buffered_bytes += len(data)
        if self._buffered_bytes > HIGH_WATER_BYTES:
            self._wire.set_reading(False)
        self._arrived.set()
        return False, b""

    def feed_eof(self) -> None:
        """The client closed its side."""
        self._ended = True
        self._arrived.set()

    async def read(self) -> bytes:
        """The next octets; empty at the end."""
        while not self._chunks and not self._ended:
            self._arrived.clear()
            await self._arrived.wait()
        if not self._chunks:
            return b""
        data = b"".join(self._chunks)
        self._chunks.clear()
        self._buffered_bytes = 0
        self._wire.set_reading(True)
        return data

    async def write(self, data: bytes) -> None:
        """Send octets, waiting while the client is slow."""
        self._wire.write(data)
        await self._wire.drain()

    async def aclose(self) -> None:
        """Close the connection."""
        self._wire.abort()
