"""A lease of the fast path at one of several targets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from veneer import ports
from veneer.core.messages import ResponseHead
from veneer.http1.serialise import WrittenHead
from veneer.ports import Demand, FirstBytesHandler, InterimSink
from veneer.upstream.attempts import Attempts, Sent
from veneer.upstream.lease import PoolLease
from veneer.upstream.outgoing import Outgoing
from veneer.upstream.response import BackendResponse
from veneer.upstream.target import Relay, UpstreamTarget
from veneer.upstream.waiting import Wanted


class Chooser(Protocol):
    """Who counts what comes of requests to the targets, and asks others where one does not answer."""

    def sends(self) -> None:
        """A request comes."""
        ...

    def begin(self, attempts: Attempts, target: UpstreamTarget) -> Sent:
        """It is sent to a target."""
        ...

    def end(self, sent: Sent) -> None:
        """It is under way there no more."""
        ...

    def answered(self, sent: Sent, status: int) -> None:
        """The target has sent a response head."""
        ...

    async def outcome(
        self, attempts: Attempts, sent: Sent, response: Awaitable[BackendResponse]
    ) -> BackendResponse | None:
        """What has come of it; None where another is to be asked. Raises UpstreamError."""
        ...

    async def go_on(
        self, attempts: Attempts, send: Callable[[UpstreamTarget], Awaitable[BackendResponse]]
    ) -> BackendResponse:
        """Ask others. Raises UpstreamError."""
        ...


class TargetLease(ports.LeasedConnection):
    """A lease of a target's connection: what comes of it is counted as what comes of an exchange is."""

    __slots__ = ("_attempts", "_chooser", "_kind", "_lease", "_read_timeout_s", "_request", "_sent", "_target")

    def __init__(self, chooser: Chooser, target: UpstreamTarget, lease: PoolLease, kind: str) -> None:
        self._chooser = chooser
        self.target = target.label
        self._target = target
        self._lease = lease
        self._kind = kind
        self._request = b""
        self._read_timeout_s: float | None = None
        self._attempts: Attempts | None = None
        self._sent: Sent | None = None

    def give_back(self) -> None:
        """Nothing is to be sent."""
        self._lease.give_back()

    def send(
        self, request: bytes, first: FirstBytesHandler, read_timeout_s: float | None, *, may_repeat: bool = True
    ) -> None:
        """Send a request, whose head and content these bytes are."""
        self._request = request
        self._read_timeout_s = read_timeout_s
        self._chooser.sends()
        self._attempts = Attempts(self._kind, may_repeat, request=request)
        sent = self._sent = self._chooser.begin(self._attempts, self._target)
        sent.give_up = self._lease.abort
        try:
            self._lease.send(request, _Counted(self, first), read_timeout_s, may_repeat=may_repeat)
        except BaseException:
            self._chooser.end(sent)
            raise

    def taken(self) -> None:
        """The response was answered where it was read."""
        assert self._sent is not None
        self._chooser.end(self._sent)
        self._chooser.answered(self._sent, 200)

    def passed_on(self) -> None:
        """The response, or the failure, goes to who awaits it, if anybody does."""
        assert self._sent is not None
        self._chooser.end(self._sent)

    async def response(self, on_interim: InterimSink) -> BackendResponse:
        """The response, from another target where this one has failed and that may be. Raises UpstreamError."""
        attempts, sent, chooser = self._attempts, self._sent, self._chooser
        assert attempts is not None
        assert sent is not None
        relay = attempts.relay = Relay(on_interim)

        def send(target: UpstreamTarget) -> Awaitable[BackendResponse]:
            outgoing = Outgoing(WrittenHead(self._request), repeatable=attempts.repeatable, was_sent=True)
            outgoing.wanted = Wanted.NEW
            outgoing.gives_way = attempts.repeatable
            outgoing.read_timeout_s = self._read_timeout_s
            return target.pool.send(outgoing, relay, attempts.demand)

        response = await chooser.outcome(attempts, sent, self._lease.response(relay))
        return await chooser.go_on(attempts, send) if response is None else response

    def watch(self, demand: Demand) -> None:
        """Give way to others when nobody waits."""
        if self._attempts is not None:
            self._attempts.demand = demand
        self._lease.watch(demand)

    def abort(self) -> None:
        """Close the connection: the response is wanted no more."""
        self._lease.abort()


class _Counted(FirstBytesHandler):
    """Who has sent a request over a lease, and the target that it was sent to."""

    __slots__ = ("_first", "_lease")

    def __init__(self, lease: TargetLease, first: FirstBytesHandler) -> None:
        self._lease = lease
        self._first = first

    def take(self, raw: bytes) -> bool:
        """See the first bytes of the response."""
        if not self._first.take(raw):
            return False
        self._lease.taken()
        return True

    def pass_on(self) -> None:
        """The response has to be awaited."""
        self._lease.passed_on()
        self._first.pass_on()

    def interim(self, head: ResponseHead) -> None:
        """Relay a 1xx response."""
        self._first.interim(head)
