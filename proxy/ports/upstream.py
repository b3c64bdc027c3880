"""The backend."""

from __future__ import annotations

from collections.abc import AsyncIterator
from enum import Enum
from typing import Protocol

from proxy.core.fields import Fields
from proxy.core.messages import RequestHead, ResponseHead
from proxy.ports.streams import Content, InterimSink, Outlet, Tunnel


class UpstreamFailure(Enum):
    """Why there is no (whole) response from the backend."""

    CONNECT = "connect"
    CONNECT_TIMEOUT = "connect-timeout"
    READ_TIMEOUT = "read-timeout"
    WRITE_TIMEOUT = "write-timeout"
    POOL_TIMEOUT = "pool-timeout"
    RESET = "reset"
    MALFORMED = "malformed"
    TRUNCATED = "truncated"
    UNHEALTHY = "unhealthy"


class UpstreamError(Exception):
    """The exchange with the backend failed.

    `sent` tells whether the backend may have seen the request: then the outcome of a write is unknown.
    """

    def __init__(self, failure: UpstreamFailure, detail: str, *, sent: bool) -> None:
        super().__init__(f"{failure.value}: {detail}")
        self.failure = failure
        self.detail = detail
        self.sent = sent


class UpstreamResponse(Protocol):
    """A final response whose body is still arriving. Must be closed on every path."""

    @property
    def head(self) -> ResponseHead:
        """Status and end-to-end fields; hop-by-hop fields and Transfer-Encoding are gone, Content-Length stays."""
        ...

    @property
    def content_length(self) -> int | None:
        """Octets to come if announced."""
        ...

    @property
    def trailers(self) -> Fields:
        """Trailer fields; empty until the body has ended."""
        ...

    @property
    def tunnel(self) -> Tunnel | None:
        """Set when the status is 101."""
        ...

    def body(self) -> AsyncIterator[bytes]:
        """The body in pieces as they arrive. Raises UpstreamError when it is cut short."""
        ...

    async def pour(self, outlet: Outlet) -> None:
        """Push what is left of the body into `outlet` as it arrives; the backend waits while the outlet is slow.

        Raises UpstreamError when the body is cut short, and what the outlet raises.
        """
        ...

    async def aclose(self) -> None:
        """Give the connection back if the message was whole, close it otherwise. Idempotent."""
        ...


class Upstream(Protocol):
    """The backend."""

    async def exchange(
        self,
        request: RequestHead,
        body: Content | None,
        on_interim: InterimSink | None = None,
        *,
        read_timeout_s: float | None = None,
    ) -> UpstreamResponse:
        """Send the request, streaming its body, and return when the final head has arrived.

        `read_timeout_s` is how long this one may be silent, where that differs from what the upstream allows.

        `request.fields` are written exactly as given, after Host; framing and Connection fields are added here.
        Raises UpstreamError.
        """
        ...

    def head_octets(self, request: RequestHead) -> bytes:
        """The head of a request without content, as `exchange` would send it."""
        ...

    def lease_now(self) -> Lease | None:
        """A connection over which a request can be sent at once; None where it has to take the way of `exchange`."""
        ...


class Taker(Protocol):
    """Who has sent a request over a lease. Its calls come from the callback that reads the socket: none may wait."""

    def take(self, octets: bytes) -> bool:
        """See the first octets of the response as they came; whether they are one whole response, and understood.

        After True the exchange is over, and the connection may carry the next. After False `pass_on` follows.
        """
        ...

    def pass_on(self) -> None:
        """The response has to be awaited from the lease. Called once, unless `take` was True."""
        ...

    def interim(self, head: ResponseHead) -> None:
        """Relay a 1xx response, as an `InterimSink`."""
        ...


class Lease(Protocol):
    """A connection of an upstream, for one exchange. It has to be given back or sent over."""

    def give_back(self) -> None:
        """Nothing is to be sent."""
        ...

    def send(self, head: bytes, taker: Taker, read_timeout_s: float | None) -> None:
        """Send a GET without content, whose head these octets are (`Upstream.head_octets`)."""
        ...

    async def response(self, on_interim: InterimSink) -> UpstreamResponse:
        """The response when it was passed on, once its final head is here. Raises UpstreamError.

        `on_interim` takes 1xx responses where the request has to be sent once more.
        """
        ...

    def abort(self) -> None:
        """Close the connection: the response is wanted no more."""
        ...
