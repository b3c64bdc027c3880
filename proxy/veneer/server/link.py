"""A connection as those see it who answer on it without aiohttp, and they as the connection sees them."""

from __future__ import annotations

import asyncio
from typing import Protocol

from veneer.server.client import ClientTransport, WireClient
from veneer.server.plain import PlainRequest
from veneer.server.tunnel import ClientTunnel


class PendingReply(Protocol):
    """An answer that is on its way."""

    def leave(self) -> None:
        """The client has gone."""
        ...

    def ended(self) -> bool:
        """The client sends no more, and may have gone. Whether to answer it nevertheless."""
        ...

    def cancel(self) -> None:
        """The proxy stops, and waits no longer; the connection's `over` is to follow soon."""
        ...


class ConnectionHandle(ClientTransport, Protocol):
    """A connection, for who answers on it without aiohttp."""

    def reserve_for(self, pending: PendingReply) -> None:
        """The request just offered will be answered later; until `over` the next ones have to wait."""
        ...

    def on_disconnect(self, client: WireClient | None) -> None:
        """Tell this client when the connection is lost."""
        ...

    def over(self, *, keep_alive: bool) -> None:
        """The request is answered, or cannot be."""
        ...


class PlainWay(Protocol):
    """Answers plain requests without aiohttp."""

    def begin(self, request: PlainRequest, link: ConnectionHandle) -> asyncio.Task[None]:
        """The task that answers on `link` and calls its `over` at its end, on whatever path."""
        ...


class AiohttpFallback(Protocol):
    """What stands behind a connection and takes all that is not answered without aiohttp."""

    def connection_taken(self, transport: asyncio.Transport) -> bool:
        """Whether it begins with a connection; False when it has refused it."""
        ...

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client has left."""
        ...

    def client_ended(self) -> bool:
        """The client sends no more; whether the connection stays open for what the client may still get."""
        ...

    def pause_writing(self) -> None:
        """The transport's buffer is full."""
        ...

    def resume_writing(self) -> None:
        """The transport's buffer has room again."""
        ...

    def has_more(self) -> bool:
        """Whether a request waits for the one under way to be answered."""
        ...

    async def drained(self) -> None:
        """Wait until the transport's buffer has room again. Raises ConnectionError when the client is gone."""
        ...

    def is_idle(self) -> bool:
        """Whether it has nothing of this connection: what comes next begins a request, as far as that is certain."""
        ...

    def take(self, data: bytes) -> None:
        """Read these bytes."""
        ...

    def feed(self, tunnel: ClientTunnel) -> None:
        """Read no more requests, and let the tunnel have what comes."""
        ...
