"""The backend."""

from __future__ import annotations

from collections.abc import AsyncIterator
from enum import Enum
from typing import NamedTuple, Protocol

from veneer.core.fields import Fields
from veneer.core.messages import RequestHead, ResponseHead
from veneer.core.overload import ANY_CLAIM, Claim
from veneer.ports.demand import Demand
from veneer.ports.leases import LeasedConnection
from veneer.ports.streams import ByteSink, Content, InterimSink, Tunnel


class UpstreamFailure(Enum):
    """Why there is no (whole) response from the backend."""

    CONNECT = "connect"
    CONNECT_TIMEOUT = "connect-timeout"
    READ_TIMEOUT = "read-timeout"
    WRITE_TIMEOUT = "write-timeout"
    POOL_TIMEOUT = "pool-timeout"
    OVERLOADED = "overloaded"
    STREAMS_FULL = "streams-full"
    RESET = "reset"
    MALFORMED = "malformed"
    TRUNCATED = "truncated"
    UNHEALTHY = "unhealthy"
    ABANDONED = "abandoned"


class UpstreamError(Exception):
    """The exchange with the backend failed.

    `sent` tells whether the backend may have seen the request: then the outcome of a write is unknown. `retry_s` is
    when it is worth while to try again.
    """

    def __init__(self, failure: UpstreamFailure, detail: str, *, sent: bool, retry_s: float = 1.0) -> None:
        super().__init__(f"{failure.value}: {detail}")
        self.failure = failure
        self.detail = detail
        self.sent = sent
        self.retry_s = retry_s

    def again(self) -> UpstreamError:
        """The same without the frames that it came through: to be kept, or raised more than once.

        What is kept would else keep those frames alive, they the bodies they handled, and mostly itself: a cycle.
        """
        return UpstreamError(self.failure, self.detail, sent=self.sent, retry_s=self.retry_s)


class SentTo(NamedTuple):
    """The target that a request was sent to last, of several, and how many were asked in all."""

    target: str
    attempts: int


class UpstreamResponse(Protocol):
    """A final response whose body is still arriving. Must be closed on every path."""

    @property
    def head(self) -> ResponseHead:
        """Status and end-to-end fields; hop-by-hop fields and Transfer-Encoding are gone, Content-Length stays."""
        ...

    @property
    def content_length(self) -> int | None:
        """Bytes to come if announced."""
        ...

    @property
    def trailers(self) -> Fields:
        """Trailer fields; empty until the body has ended."""
        ...

    @property
    def sent_to(self) -> SentTo | None:
        """Which target has answered; None where the upstream is one backend."""
        ...

    @property
    def tunnel(self) -> Tunnel | None:
        """Set when the status is 101."""
        ...

    def body(self) -> AsyncIterator[bytes]:
        """The body in pieces as they arrive. Raises UpstreamError when it is cut short."""
        ...

    async def stream_into(self, sink: ByteSink) -> None:
        """Push what is left of the body into `sink` as it arrives; the backend waits while the sink is slow.

        Raises UpstreamError when the body is cut short, and what the sink raises.
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
        demand: Demand | None = None,
    ) -> UpstreamResponse:
        """Send the request, streaming its body, and return when the final head has arrived.

        `read_timeout_s` is how long this one may be silent, where that differs from what the upstream allows.
        When `demand` says that nobody waits, a request that was not sent yet is not sent any more, and one that is safe
        gives way to those that wait for its connection, up to the end of its response (ABANDONED). Its claim says how
        urgent the request is where not all can go (OVERLOADED).

        `request.fields` are written exactly as given, after Host; framing and Connection fields are added here.
        Raises UpstreamError.
        """
        ...

    def head_bytes(self, request: RequestHead, *, has_body: bool = False) -> bytes:
        """The head of a request, as `exchange` would send it."""
        ...

    def lease_now(self, now_s: float, claim: Claim = ANY_CLAIM) -> LeasedConnection | None:
        """A connection over which a request can be sent at once; None where it has to take the way of `exchange`.

        `now_s` is monotonic.
        """
        ...
