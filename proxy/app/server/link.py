"""A connection as those see it who answer on it without aiohttp, and they as the connection sees them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from proxy.app.server.client import Wire, WireClient
from proxy.app.server.plain import PlainRequest


class QuickTalk(Protocol):
    """Answers some requests of one connection from their octets alone."""

    def answer(self, data: bytes) -> bool:
        """Answer the one request in `data`; False, and nothing done, when it has to take the normal way."""
        ...


class QuickWay(Protocol):
    """Answers some requests from their octets alone."""

    def meet(self, link: Link, write: Callable[[bytes], None]) -> QuickTalk:
        """A new connection; `write` queues octets to be sent on it."""
        ...


class Pending(Protocol):
    """An answer that is on its way."""

    def leave(self) -> None:
        """The client has gone."""
        ...

    def cancel(self) -> None:
        """The proxy stops, and waits no longer; the connection's `over` is to follow soon."""
        ...


class Link(Wire, Protocol):
    """A connection, for who answers on it without aiohttp."""

    def await_answer(self, pending: Pending) -> None:
        """The request just offered will be answered later; until `over` the next ones have to wait."""
        ...

    def attend(self, client: WireClient | None) -> None:
        """Tell this client when the connection is lost."""
        ...

    def over(self, *, keep_alive: bool) -> None:
        """The request is answered, or cannot be."""
        ...


class PlainWay(Protocol):
    """Answers plain requests without aiohttp."""

    def begin(self, request: PlainRequest, link: Link) -> asyncio.Task[None]:
        """The task that answers on `link` and calls its `over` at its end, on whatever path."""
        ...
