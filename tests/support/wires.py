"""A connection to Redis without a Redis: what is said is kept, what is answered is up to the test."""

from __future__ import annotations

import asyncio

from veneer.redis.wire import RedisConnection


class Transport(asyncio.Transport):
    """The wire's other end."""

    def __init__(self, wire: RedisConnection) -> None:
        super().__init__()
        self.said: list[bytes] = []
        self._wire = wire
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep what is said."""
        self.said.append(bytes(data))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is no buffer."""

    def is_closing(self) -> bool:
        """Whether it was closed by either side."""
        return self._closing

    def abort(self) -> None:
        """The wire drops it; asyncio tells so in a later turn."""
        self._closing = True
        asyncio.get_running_loop().call_soon(self._wire.connection_lost, None)

    def lose(self, error: Exception | None = None) -> None:
        """The connection breaks."""
        self._closing = True
        self._wire.connection_lost(error)

    def answer(self, raw: bytes) -> None:
        """Redis says something."""
        self._wire.data_received(raw)


def wired() -> tuple[RedisConnection, Transport]:
    """A wire and its other end."""
    wire = RedisConnection()
    transport = Transport(wire)
    wire.connection_made(transport)
    return wire, transport
