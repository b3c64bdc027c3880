"""A connection that was free at once, for a request whose head is ready."""

from __future__ import annotations

from abc import abstractmethod
from typing import Final

from veneer import ports
from veneer.core import retry_budget
from veneer.core.messages import RequestHead
from veneer.core.overload import ANY_CLAIM
from veneer.http1.serialise import WrittenHead
from veneer.ports import Demand, FirstBytesHandler, InterimSink, UpstreamFailure
from veneer.upstream.connection import Connection, ConnectionOwner
from veneer.upstream.response import BackendResponse

_MAX_IDLE_S: Final = 60.0
"""Longer than that no backend is believed that it keeps a connection."""


class ConnectionLender(ConnectionOwner):
    """The pool that the connection belongs to."""

    @abstractmethod
    def give_back(self, connection: Connection) -> None:
        """Take back a connection over which nothing was sent."""

    @abstractmethod
    def watch(self, connection: Connection, demand: Demand) -> None:
        """Let the exchange on the connection give way to others when nobody waits for it."""

    @abstractmethod
    async def await_response(
        self, connection: Connection, again: WrittenHead | None, on_interim: InterimSink, demand: Demand | None
    ) -> BackendResponse:
        """The response to what was sent over the connection; `again` is sent once more where that is needed."""


class PoolLease(ports.LeasedConnection):
    """Implements `veneer.ports.LeasedConnection`."""

    __slots__ = ("_again", "_connection", "_demand", "_lender")

    def __init__(self, lender: ConnectionLender, connection: Connection) -> None:
        self.target = ""
        self._lender = lender
        self._connection = connection
        self._again: WrittenHead | None = None
        self._demand: Demand | None = None

    def give_back(self) -> None:
        """Nothing is to be sent."""
        self._lender.give_back(self._connection)

    def send(
        self, request: bytes, first: FirstBytesHandler, read_timeout_s: float | None, *, may_repeat: bool = True
    ) -> None:
        """Send a request, whose head and content these bytes are."""
        connection = self._connection
        if may_repeat:
            self._again = WrittenHead(request)
        connection.timer.set_limit(read_timeout_s)
        connection.start(request, first=first)

    async def response(self, on_interim: InterimSink) -> BackendResponse:
        """The response, once its final head is here. Raises UpstreamError."""
        return await self._lender.await_response(self._connection, self._again, on_interim, self._demand)

    def watch(self, demand: Demand) -> None:
        """Give way to others when nobody waits."""
        self._demand = demand
        self._lender.watch(self._connection, demand)

    def abort(self) -> None:
        """Close the connection: the response is wanted no more."""
        self._connection.fail(UpstreamFailure.TRUNCATED, "the exchange was given up")


def believed_s(idle_s: float) -> float:
    """How long a connection may be idle that the backend says it keeps for `idle_s`: until a second before its end."""
    return min(max(idle_s - 1.0, 0.0), _MAX_IDLE_S)


def is_repeatable(request: RequestHead, demand: Demand | None) -> bool:
    """Whether the request may be sent again though it may have been carried out."""
    return retry_budget.may_repeat(request, (ANY_CLAIM if demand is None else demand.claim).retry_writes)
