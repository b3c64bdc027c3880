"""A connection as those see it who answer on it, and they as the connection sees them.

`FastPath` and `FastPathHandler` are classes to derive from, unlike most ports: where both sides are compiled, a call of
one's method is direct.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from typing import Final, Protocol

from mypy_extensions import mypyc_attr

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
        """The proxy stops, and waits no longer; the connection's `exchange_done` is to follow soon."""
        ...


class ConnectionHandle(ClientTransport, Protocol):
    """A connection, for who answers on it without aiohttp."""

    def reserve_for(self, pending: PendingReply) -> None:
        """The request just offered will be answered later; until `exchange_done` the next ones have to wait."""
        ...

    def on_disconnect(self, client: WireClient | None) -> None:
        """Tell this client when the connection is lost."""
        ...

    def exchange_done(self, *, keep_alive: bool) -> None:
        """The request is answered, or cannot be."""
        ...


G: Final = 0x47
H: Final = 0x48
"""How GET and HEAD begin: what hits are for."""
P: Final = 0x50
D: Final = 0x44
"""How POST, PUT, PATCH and DELETE begin. A fast path is asked about nothing that begins otherwise."""


@mypyc_attr(allow_interpreted_subclasses=True)
class FastPathHandler:
    """Answers some requests of one connection from their bytes alone."""

    __slots__ = ()

    @abstractmethod
    def answer(self, data: bytes) -> bool:
        """Answer the one request in `data`; False, and nothing done, when it has to take the normal way."""


@mypyc_attr(allow_interpreted_subclasses=True)
class FastPath:
    """Gives each connection its handler."""

    __slots__ = ()

    @abstractmethod
    def connect(self, connection: ConnectionHandle, write: Callable[[list[bytes]], None]) -> FastPathHandler:
        """A new connection; `write` queues bytes to be sent on it, in pieces."""

    @abstractmethod
    def prefetch(self, handlers: list[FastPathHandler], data: list[bytes]) -> None:
        """See what each of these handlers is to be asked next, in this order, and decide nothing."""


class PlainHandler(Protocol):
    """Answers plain requests without aiohttp."""

    def begin(self, request: PlainRequest, connection: ConnectionHandle) -> asyncio.Task[None]:
        """The task that answers on `connection` and calls its `exchange_done` at its end, on whatever path."""
        ...


class AiohttpFallback(Protocol):
    """aiohttp's side of a connection: takes all that is not answered without it."""

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
