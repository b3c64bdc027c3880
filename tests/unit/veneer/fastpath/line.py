"""A client's connection, as the fast path sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from veneer.ports import BytesLike
from veneer.server.client import WireClient
from veneer.server.ports import PendingReply
from veneer.server.tunnel import ClientTunnel


class Line:
    """A client's connection."""

    def __init__(self, address: str = "192.0.2.1") -> None:
        self.address = address
        self.sent: list[bytes] = []
        self.pending: PendingReply | None = None
        self.client: WireClient | None = None
        self.overs: list[bool] = []
        self.is_over = asyncio.Event()
        self.is_last = False
        self.on_send: Callable[[], object] = lambda: None

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def send(self, pieces: list[bytes]) -> None:
        """As the fast path writes."""
        self.on_send()
        self.sent.append(b"".join(pieces))

    def write_all(self, pieces: Sequence[BytesLike]) -> bool:
        self.sent += map(bytes, pieces)
        return True

    async def drained(self) -> None:
        return

    async def drain(self) -> None:
        return

    def abort(self) -> None:
        raise AssertionError

    def detach_stream(self) -> ClientTunnel:
        raise AssertionError

    def reserve_for(self, pending: PendingReply) -> None:
        assert self.pending is None
        self.pending = pending

    def on_disconnect(self, client: WireClient | None) -> None:
        self.client = client

    def exchange_done(self, *, keep_alive: bool) -> None:
        self.pending = None
        self.overs.append(keep_alive)
        self.is_over.set()
