"""What the fast path sends to the backend, until it is answered here or by the pipeline."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Final, Protocol

from veneer.core.messages import RequestHead, ResponseHead
from veneer.core.rate import RateVerdict
from veneer.fastpath.hot_entries import HotEntry
from veneer.fastpath.identified import counted_as
from veneer.fastpath.pattern import Values
from veneer.fastpath.replies import ResponseTemplate
from veneer.fastpath.scan import HeadShape
from veneer.fastpath.upstream_templates import UpstreamTemplate
from veneer.http1.serialise import serialise_interim
from veneer.pipeline.context import Exchange
from veneer.policy.model import Match
from veneer.ports import FirstBytesHandler, LeasedConnection
from veneer.server.ports import ConnectionHandle

Write = Callable[[list[bytes]], None]
"""Queues bytes in pieces; the list is no longer the caller's."""


class Answering(Protocol):
    """What answers the client of an exchange."""

    def answer_sent(
        self,
        exchange: FastExchange,
        reply: ResponseTemplate,
        values: Values,
        body: bytes,
        identity_bytes: int,
        upstream_us: int,
    ) -> None:
        """Answer with a response's values and body, for which the backend took so many microseconds.

        `identity_bytes` is the body's length before this proxy coded it, 0 where it did not.
        """
        ...

    def answer_hit(self, exchange: FastExchange, hot_entry: HotEntry, now_s: float) -> None:
        """Answer with a hit, at this time (monotonic seconds)."""
        ...


class FastRequest:
    """A request as it was read, and what answers it, and how what comes before leaves.

    `sample` is its exchange in the pipeline, where that was made to find out how requests like it go to the backend.
    """

    __slots__ = ("answering", "connection", "data", "request_id", "sample", "shape", "values", "write")

    def __init__(
        self,
        connection: ConnectionHandle,
        shape: HeadShape,
        values: Values,
        data: bytes,
        request_id: bytes,
        answering: Answering,
        write: Write,
    ) -> None:
        self.connection: Final = connection
        self.shape: Final = shape
        self.values: Final = values
        self.data: Final = data
        self.request_id: Final = request_id
        self.answering: Final = answering
        self.write: Final = write
        self.sample: Exchange | None = None


class FastExchange(FirstBytesHandler):
    """Implements `veneer.ports.FirstBytesHandler`, and is what the client's connection waits for.

    `way` is how it goes to the backend, `wanted` the request as far as that depends on nothing that changes. `received`
    is in seconds since the epoch, `started_s` monotonic.
    `client_gone` tells whether nobody is there to be answered; `first_bytes` is what has come of the response, and
    `bytes_in` the length of the request's content. `counted_as` is the name under which its rate counts it, where that
    is not the template's. What `waits_first` is not sent before a shared store was asked, or what somebody else has
    sent is answered.
    """

    __slots__ = (
        "bytes_in",
        "client_gone",
        "connection",
        "counted_as",
        "first_bytes",
        "lease",
        "match",
        "rate",
        "received",
        "request",
        "started_s",
        "waits_first",
        "wanted",
        "way",
    )
    lease: LeasedConnection

    def __init__(self, request: FastRequest, way: UpstreamTemplate, match: Match, wanted: RequestHead) -> None:
        self.request: Final = request
        self.connection: Final = request.connection
        self.way: Final = way
        self.match: Final = match
        self.wanted: Final = wanted
        self.client_gone = False
        self.first_bytes = b""
        self.bytes_in = 0
        self.waits_first = False
        rule = way.counting
        self.counted_as = None if rule is None else counted_as(rule, match, request.connection.address)

    @property
    def target(self) -> str:
        """The target that has answered, of several; empty where the upstream is one backend."""
        return self.lease.target

    @abstractmethod
    def send(self, lease: LeasedConnection, rate: RateVerdict | None, started_s: float) -> None:
        """Ask the backend, now that the rate admits it."""

    def wait_first(self, rate: RateVerdict | None, started_s: float) -> None:
        """Wait for what it has to wait for, now that the rate admits it, and then ask the backend."""
        raise NotImplementedError

    @abstractmethod
    def leave(self) -> None:
        """The client has gone."""

    @abstractmethod
    def ended(self) -> bool:
        """The client sends no more, and may have gone. Whether to answer it nevertheless."""

    def begin(self, rate: RateVerdict | None, started_s: float, received: float) -> None:
        """Have the connection wait for the answer."""
        self.connection.reserve_for(self)
        self.rate = rate
        self.received = received
        self.started_s = started_s

    def cancel(self) -> None:
        """The proxy stops and waits no longer."""
        self.lease.abort()

    def interim(self, head: ResponseHead) -> None:
        """Relay a 1xx response."""
        if not self.client_gone:
            self.request.write([serialise_interim(head)])
