"""Several backends that are one upstream: a request goes to one that does well, and on to another where it may."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from typing import Final

from veneer import ports
from veneer.core import balancing
from veneer.core.messages import RequestHead, ResponseHead
from veneer.core.overload import ANY_CLAIM, Claim
from veneer.core.retry_budget import RetryBudget
from veneer.http1.serialise import WrittenHead
from veneer.loop.tasks import Tasks
from veneer.ports import Clock, Content, Demand, FirstBytesHandler, InterimSink, UpstreamError, UpstreamFailure
from veneer.upstream.gate import Load
from veneer.upstream.health import BACKEND_FAILURES, answers_at_all
from veneer.upstream.lease import PoolLease
from veneer.upstream.response import BackendResponse
from veneer.upstream.target import Relay, SetRules, TargetCounts, UpstreamTarget

logger = logging.getLogger(__name__)

GATEWAY_STATUSES: Final = frozenset({502, 503, 504})
"""With these a target says that it cannot serve: they count as failures."""
_UNSENT: Final = frozenset({UpstreamFailure.CONNECT, UpstreamFailure.CONNECT_TIMEOUT, UpstreamFailure.OVERLOADED})
"""Nothing of the request, nor of its content, was sent or read."""


class TargetSet:
    """Implements `veneer.ports.Upstream` over the pools of several targets.

    A request is sent to another target only where the budget allows it, nothing was passed on to the client, and either
    nothing of it was sent or its method is safe and it can be sent again. Each target is tried once.
    An ejected target comes back after a trial of its own, never by a client's request. Where all are out, or down,
    requests go to all of them.
    """

    def __init__(
        self,
        targets: Sequence[UpstreamTarget],
        rules: SetRules,
        clock: Clock,
        tasks: Tasks,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._name = rules.name
        self.targets = tuple(targets)
        self._rules = rules.ejection
        self._retries = retries = rules.retries
        self._budget = RetryBudget(retries.share, retries.per_second, clock.monotonic())
        self.monotonic = clock.monotonic
        self._tasks = tasks
        self._chance = chance
        self._usable = [target for target in targets if not target.drained]
        self._ejected = False
        self._alike = rules.alike
        self.counts = TargetCounts()
        self._have_patience()

    def __str__(self) -> str:
        return self._name

    async def exchange(
        self,
        request: RequestHead,
        body: Content | None,
        on_interim: InterimSink | None = None,
        *,
        read_timeout_s: float | None = None,
        demand: Demand | None = None,
    ) -> BackendResponse:
        """The response of one of the targets. Raises UpstreamError."""
        self._budget.request()
        relay = None if on_interim is None else Relay(on_interim)
        resendable = request.is_safe and (body is None or isinstance(body, bytes))
        tried: list[UpstreamTarget] = []
        while True:
            target = self.pick(tried)
            tried.append(target)
            started_s = self.monotonic()
            target.load.begun(started_s)
            try:
                response = await target.pool.exchange(
                    request, body, relay, read_timeout_s=read_timeout_s, demand=demand
                )
            except UpstreamError as error:
                self.failed(target, error)
                untouched = not error.sent and error.failure in _UNSENT
                if (relay is not None and relay.used) or not (untouched or resendable):
                    raise
                if not self.may_retry(error, tried, demand):
                    raise
            else:
                self.answered(target, response.head.status, started_s)
                return response
            finally:
                target.load.ended()

    async def look(self, request: RequestHead) -> BackendResponse:
        """An exchange for who watches, with one of those that may have requests. Raises UpstreamError."""
        return await self.pick(()).pool.look(request)

    def load(self) -> Load:
        """The sum over the targets."""
        return sum((target.pool.load() for target in self.targets), Load())

    def head_bytes(self, request: RequestHead, *, has_body: bool = False) -> bytes:
        """The head of a request, as each of the targets would get it: `lease_now` gives none where they differ."""
        return self.targets[0].pool.head_bytes(request, has_body=has_body)

    def lease_now(self, now_s: float, claim: Claim = ANY_CLAIM) -> TargetLease | None:
        """An idle connection to the target whose turn it is."""
        if not self._alike:
            return None
        target = self.pick(())
        lease = target.pool.lease_now(now_s, claim)
        return None if lease is None else TargetLease(self, target, lease)

    async def aclose(self) -> None:
        """Close them all."""
        for target in self.targets:
            await (target.pool if target.check is None else target.check).aclose()

    # ---- choosing

    def pick(self, tried: Sequence[UpstreamTarget]) -> UpstreamTarget:
        """Whose turn it is, of those that were not tried yet."""
        now_s = self.monotonic()
        if self._ejected:
            self._try_ejected(now_s)
        able = [target for target in self._usable if target.is_in(now_s) and target not in tried]
        if not able:
            able = [target for target in self._usable if target not in tried]
        loads = [target.load for target in able]
        return able[balancing.choose(loads, now_s, self._rules.slow_start_s, self._chance(), self._chance())]

    def may_retry(self, error: UpstreamError, tried: Sequence[UpstreamTarget], demand: Demand | None) -> bool:
        """Whether a request that failed so may go to another target; then that is counted, and told in the log."""
        overloaded = error.failure is UpstreamFailure.OVERLOADED
        if not (overloaded or error.failure in BACKEND_FAILURES) or (demand is not None and not demand.wanted):
            return False
        if len(tried) >= len(self._usable):
            return False
        if not self._budget.take(self.monotonic()):
            self.counts.over_budget += 1
            return False
        self.counts.retries += 1
        logger.info("a request to %s is tried again, attempt %d; %s: %s", self, len(tried) + 1, tried[-1], error)
        return True

    async def send_again(
        self,
        written: WrittenHead,
        relay: Relay,
        read_timeout_s: float | None,
        demand: Demand | None,
        tried: list[UpstreamTarget],
    ) -> BackendResponse:
        """Send to others what one of those `tried` has not answered. Raises UpstreamError."""
        while True:
            target = self.pick(tried)
            tried.append(target)
            started_s = self.monotonic()
            target.load.begun(started_s)
            try:
                response = await target.pool.send_again(written, relay, demand, read_timeout_s)
            except UpstreamError as error:
                self.failed(target, error)
                if relay.used or not self.may_retry(error, tried, demand):
                    raise
            else:
                self.answered(target, response.head.status, started_s)
                return response
            finally:
                target.load.ended()

    def sends(self) -> None:
        """A request is sent that does not come by `exchange`."""
        self._budget.request()

    # ---- learning

    def answered(self, target: UpstreamTarget, status: int, started_s: float) -> None:
        """The target has sent a response head."""
        now_s = self.monotonic()
        if target.refuses:
            target.refuses = False
            self._have_patience()
        if status in GATEWAY_STATUSES:
            target.load.failed(now_s)
            self._judge(target, f"it answered {status}")
        else:
            target.load.succeeded(now_s, now_s - started_s)

    def failed(self, target: UpstreamTarget, error: UpstreamError) -> None:
        """The exchange with the target has failed, be it by its fault."""
        if error.failure not in BACKEND_FAILURES:
            return
        if error.failure is UpstreamFailure.CONNECT and not target.refuses:
            target.refuses = True
            self._have_patience()
        target.load.failed(self.monotonic())
        self._judge(target, str(error))

    def _judge(self, target: UpstreamTarget, reason: str) -> None:
        others = [other.load for other in self._usable if other is not target]
        if balancing.should_eject(target.load, others, self._rules):
            balancing.eject(target.load, self.monotonic(), self._rules)
            self._ejected = True
            self.counts.ejections += 1
            failures = target.load.failures
            logger.warning("%s of %s is ejected after %d failures in a row: %s", target, self, failures, reason)

    def _have_patience(self) -> None:
        """A target that refuses connections is waited for where no other takes any; else the next one is asked."""
        for target in self._usable:
            alone = all(other.refuses for other in self._usable if other is not target)
            target.pool.redialler.patience_s = self._retries.refused_s if alone else 0.0

    def _try_ejected(self, now_s: float) -> None:
        self._ejected = False
        for target in self._usable:
            until_s = target.load.ejected_until
            if until_s is None:
                continue
            self._ejected = True
            if now_s >= until_s and not target.on_trial:
                target.on_trial = True
                self._tasks.start(self._try(target), f"trial of {target}")

    async def _try(self, target: UpstreamTarget) -> None:
        """Let an ejected target back in if it answers."""
        try:
            well = await (answers_at_all(target.pool) if target.check is None else target.check.check())
        finally:
            target.on_trial = False
        if well:
            balancing.readmit(target.load, self.monotonic())
            logger.warning("%s of %s has answered, and is tried with a few requests", target, self)
        else:
            balancing.eject(target.load, self.monotonic(), self._rules)


class TargetLease(ports.LeasedConnection):
    """A lease of a target's connection: what comes of it is counted as what comes of an exchange is."""

    __slots__ = ("_demand", "_lease", "_read_timeout_s", "_request", "_set", "_started_s", "_target")

    def __init__(self, targets: TargetSet, target: UpstreamTarget, lease: PoolLease) -> None:
        self._set = targets
        self._target = target
        self._lease = lease
        self._request: bytes | None = None
        self._demand: Demand | None = None
        self._read_timeout_s: float | None = None
        self._started_s = 0.0

    def give_back(self) -> None:
        """Nothing is to be sent."""
        self._lease.give_back()

    def send(
        self, request: bytes, first: FirstBytesHandler, read_timeout_s: float | None, *, may_repeat: bool = True
    ) -> None:
        """Send a request, whose head and content these bytes are."""
        self._request = request if may_repeat else None
        self._read_timeout_s = read_timeout_s
        self._started_s = self._set.monotonic()
        self._target.load.begun(self._started_s)
        self._set.sends()
        try:
            self._lease.send(request, _Counted(self, first), read_timeout_s, may_repeat=may_repeat)
        except BaseException:
            self._target.load.ended()
            raise

    def taken(self) -> None:
        """The response was answered where it was read."""
        self._target.load.ended()
        self._set.answered(self._target, 200, self._started_s)

    def passed_on(self) -> None:
        """The response, or the failure, goes to who awaits it, if anybody does."""
        self._target.load.ended()

    async def response(self, on_interim: InterimSink) -> BackendResponse:
        """The response, from another target where this one has failed and that may be. Raises UpstreamError."""
        targets, tried = self._set, [self._target]
        relay = Relay(on_interim)
        try:
            response = await self._lease.response(relay)
        except UpstreamError as error:
            targets.failed(self._target, error)
            if self._request is None or relay.used or not targets.may_retry(error, tried, self._demand):
                raise
        else:
            targets.answered(self._target, response.head.status, self._started_s)
            return response
        return await targets.send_again(WrittenHead(self._request), relay, self._read_timeout_s, self._demand, tried)

    def watch(self, demand: Demand) -> None:
        """Give way to others when nobody waits."""
        self._demand = demand
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
