"""Spans of what is asked of a backend."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from veneer.core.messages import RequestHead
from veneer.ports.upstream import UpstreamFailure


class ServerName(NamedTuple):
    """Who is asked. `origin` is scheme, authority and path prefix, with which each URL there begins.

    `address` is the host's name, or the path of a unix socket, which has no `port` (0). `peer` is where the connection
    goes in place of the host; "" where that is not settled beforehand.
    """

    origin: str
    address: str
    port: int = 0
    peer: str = ""


class OutgoingSpan(Protocol):
    """The span of one attempt."""

    @property
    def request(self) -> RequestHead:
        """The request as it has to be sent, so that the backend has this span as its parent."""
        ...

    def answered(self, status: int) -> None:
        """The final head of the response is here."""
        ...

    def end(self, failure: UpstreamFailure | None) -> None:
        """It is over: the response is whole, or there is none, or not all of it. Only the first call counts."""
        ...


class OutgoingSpans(Protocol):
    """Makes a span for each attempt to have a request answered. No call blocks or raises."""

    def begin(self, request: RequestHead, server: ServerName, resend_count: int) -> OutgoingSpan | None:
        """A request is about to be sent, after it was sent so often before; None where it is not traced."""
        ...
