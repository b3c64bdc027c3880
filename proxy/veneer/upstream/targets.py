"""Several backends that are one upstream: a request goes to one that does well, and on to another where it may."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from veneer.core import affinity, balancing, silence
from veneer.core.messages import RequestHead
from veneer.core.overload import ANY_CLAIM, Claim
from veneer.core.retry_budget import RetryBudget
from veneer.core.silence import Owed
from veneer.loop.tasks import Tasks
from veneer.ports import Clock, Content, Demand, InterimSink, SentTo, UpstreamError, UpstreamFailure
from veneer.upstream.attempts import Attempts, Busy, Sent, unless_given_up
from veneer.upstream.gate import Load
from veneer.upstream.health import BACKEND_FAILURES, answers_at_all
from veneer.upstream.lease import is_repeatable
from veneer.upstream.response import BackendResponse
from veneer.upstream.target import Relay, SetRules, TargetCounts, UpstreamTarget
from veneer.upstream.target_lease import TargetLease

logger = logging.getLogger(__name__)

GATEWAY_STATUSES: Final = frozenset({502, 503, 504})
"""With these a target says that it cannot serve: they count as failures."""
BUSY_STATUS: Final = 503
LOOK_EVERY_S: Final = 0.1
"""So often it is seen who owes answers for too long."""


class TargetSet:
    """Implements `veneer.ports.Upstream` over the pools of several targets.

    A request is sent to another target only where the budget allows it, nothing was passed on to the client, and either
    nothing of it was sent or it may be repeated (`core.retry_budget`). Each target is tried once.
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
        self.targets: tuple[UpstreamTarget, ...] = ()
        self._rules = rules.ejection
        self._retries = retries = rules.retries
        self._budget = RetryBudget(retries.share, retries.per_second, clock.monotonic())
        self._clock = clock
        self.monotonic = clock.monotonic
        self._tasks = tasks
        self._chance = chance
        self._usable: list[UpstreamTarget] = []
        self._ranked = False
        self._arrived = asyncio.Event()
        self._patience_s = rules.patience_s
        self._like = rules.like
        self._ejected = self._doubt = False
        self._under_way: dict[Owed, tuple[Attempts, Sent]] = {}
        self._looker: asyncio.TimerHandle | None = None
        self._look_at_s = 0.0
        self._affinity = rules.affinity
        self._alike = rules.alike and rules.affinity is None  # a lease is taken before the request is known
        self.counts = TargetCounts()
        self.become(targets)

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
        if not self._usable:
            await self._wait_for_any()
        self.sends()
        relay = None if on_interim is None else Relay(on_interim)
        repeatable = is_repeatable(request, demand) and (body is None or isinstance(body, bytes))
        kind = ANY_CLAIM.route if demand is None else demand.claim.route
        attempts = Attempts(kind, repeatable, demand, relay, is_safe=request.is_safe, request=request)
        if self._affinity is not None and (key := affinity.key_of(self._affinity, request.fields)) is not None:
            attempts.sought = balancing.Sought(key, self._affinity)

        def send(target: UpstreamTarget) -> Awaitable[BackendResponse]:
            return target.pool.exchange(
                request, body, relay, read_timeout_s=read_timeout_s, demand=demand, sends=attempts.sends
            )

        return await self.go_on(attempts, send)

    async def look(self, request: RequestHead) -> BackendResponse:
        """An exchange for who watches, with one of those that may have requests. Raises UpstreamError."""
        if not self._usable:
            await self._wait_for_any()
        return await self.pick((), None)[0].pool.look(request)

    def load(self) -> Load:
        """The sum over the targets."""
        return sum((target.pool.load() for target in self.targets), Load())

    def head_bytes(self, request: RequestHead, *, has_body: bool = False) -> bytes:
        """The head of a request, as each of the targets would get it: `lease_now` gives none where they differ."""
        return (self._like or self.targets[0].pool).head_bytes(request, has_body=has_body)

    def lease_now(self, now_s: float, claim: Claim = ANY_CLAIM) -> TargetLease | None:
        """An idle connection to the target whose turn it is."""
        if not self._alike or not self._usable:
            return None
        if self._is_doubtful(now_s):
            return None  # whoever is asked by `exchange` may find out
        target, _ = self.pick((), None)
        lease = target.pool.lease_now(now_s, claim)
        return None if lease is None else TargetLease(self, target, lease, claim.route)

    async def aclose(self) -> None:
        """Close them all. What they owe to requests that have begun is looked after until it has come."""
        for target in self.targets:
            await target.aclose()

    # ---- which there are

    def become(self, targets: Sequence[UpstreamTarget]) -> None:
        """Have these targets from now on. Those that are gone end what they have, and get nothing more."""
        gone = [target for target in self.targets if target not in targets]
        self.targets = tuple(targets)
        self._usable = [target for target in targets if not target.drained]
        loads = [target.load for target in self._usable]
        balancing.share_out(loads)
        self._ranked = len({load.rank for load in loads}) > 1
        self._have_patience()
        if self._usable:
            self._arrived.set()
        for target in gone:
            self._tasks.start(target.aclose(), f"close {target}")

    async def _wait_for_any(self) -> None:
        """Wait until there is a target: until a name has been looked up. Raises UpstreamError."""
        try:
            async with asyncio.timeout(self._patience_s):
                await self._arrived.wait()
        except TimeoutError:
            detail = f"{self} leads nowhere: none of its names has been answered"
            raise UpstreamError(UpstreamFailure.CONNECT_TIMEOUT, detail, sent=False) from None

    # ---- one request

    async def go_on(
        self, attempts: Attempts, send: Callable[[UpstreamTarget], Awaitable[BackendResponse]]
    ) -> BackendResponse:
        """Ask one target after the other as long as that is worth while. Raises UpstreamError."""
        try:
            while True:
                kind = attempts.kind if attempts.movable else None
                sent = self.begin(attempts, *self.pick(attempts.tried, kind, attempts.sought))
                try:
                    response = await self.outcome(attempts, sent, unless_given_up(sent, send))
                finally:
                    self.end(sent)
                if response is not None:
                    return response
        finally:
            await attempts.aclose()

    def begin(self, attempts: Attempts, target: UpstreamTarget, canary: bool = False) -> Sent:
        """A request is sent to a target."""
        now_s = self.monotonic()
        attempts.tried.append(target)
        target.load.begun(now_s)
        sent = Sent(target, now_s, Owed(attempts.kind, now_s, canary=canary) if attempts.movable else None)
        if sent.owed is not None:
            target.load.silence.sent(sent.owed)
            self._under_way[sent.owed] = attempts, sent
            if self._looker is None:
                self._look_again(now_s)
        return sent

    def end(self, sent: Sent) -> None:
        """It is under way there no more, however it went."""
        sent.target.load.ended()
        if sent.owed is not None:
            sent.target.load.silence.ended(sent.owed)
            self._under_way.pop(sent.owed, None)

    async def outcome(
        self, attempts: Attempts, sent: Sent, response: Awaitable[BackendResponse]
    ) -> BackendResponse | None:
        """What has come of a request at one target; None where another is to be asked. Raises UpstreamError."""
        try:
            answer = await response
        except (UpstreamError, TimeoutError) as error:
            if sent.waited_s is not None:
                attempts.moved = sent
                return None
            if not isinstance(error, UpstreamError):
                raise
            self.failed(sent.target, error)
            busy = attempts.take_busy()
            if busy is None and not (attempts.could_go_on(error) and self._may_go_on(attempts, str(error))):
                raise
            return busy
        answer.sent_to = SentTo(sent.target.label, len(attempts.tried))
        self.answered(sent, answer.head.status)
        self._compare(attempts, sent, answer.head.status)
        if answer.head.status == BUSY_STATUS:
            return await self._unless_elsewhere(attempts, sent, answer)
        return answer

    async def _unless_elsewhere(
        self, attempts: Attempts, sent: Sent, answer: BackendResponse
    ) -> BackendResponse | None:
        """What a target has answered that is busy, or None where another may have something better."""
        retry_s = balancing.asked_rest_s(answer.head.fields, self._clock.now())
        await attempts.aclose()
        if retry_s is None or not attempts.repeatable or not self._may_go_on(attempts, "it is busy"):
            return answer
        attempts.busy = Busy(sent.target, answer, retry_s)
        return None

    def _may_go_on(self, attempts: Attempts, reason: str) -> bool:
        """Whether one more target may be asked; then that is counted, and told in the log."""
        if attempts.is_begun or not attempts.is_wanted or all(target in attempts.tried for target in self._usable):
            return False
        if not self._budget.take(self.monotonic()):
            self.counts.over_budget += not attempts.denied
            attempts.denied = True
            return False
        self.counts.retries += 1
        count, last = len(attempts.tried) + 1, attempts.tried[-1]
        request = attempts.request_id or "a request"
        logger.info("%s to %s is tried again, attempt %d; %s: %s", request, self, count, last, reason)
        return True

    # ---- choosing

    def pick(
        self, tried: Sequence[UpstreamTarget], kind: str | None, sought: balancing.Sought | None = None
    ) -> tuple[UpstreamTarget, bool]:
        """Whose turn it is, of those that were not tried yet, and whether it is asked to find out if it hangs.

        `kind` is that of a request of which another could be asked as well.
        """
        now_s = self.monotonic()
        if self._ejected:
            self._try_ejected(now_s)
        usable = self._usable
        able = [index for index, target in enumerate(usable) if target.is_in(now_s) and target not in tried]
        if not able:
            able = [index for index, target in enumerate(usable) if target not in tried]
        loads = [target.load for target in usable]
        if self._ranked:
            able = balancing.best_ranked(loads, able)
        index, canary = balancing.pick(loads, able, kind, now_s, self._rules, self._chance, sought)
        return usable[index], canary

    def _is_doubtful(self, now_s: float) -> bool:
        """Whether any target is suspected to hang."""
        if self._doubt:
            self._doubt = any(target.load.silence.suspected(now_s) for target in self._usable)
        return self._doubt

    def sends(self) -> None:
        """A request is sent that does not come by `exchange`."""
        self._budget.request()

    # ---- learning

    def answered(self, sent: Sent, status: int) -> None:
        """A target has sent a response head."""
        now_s, target = self.monotonic(), sent.target
        if target.refuses:
            target.refuses = False
            self._have_patience()
        if status in GATEWAY_STATUSES:
            target.load.silence.heard(now_s)
            target.load.failed(now_s)
            self._judge(target, f"it answered {status}")
            return
        target.load.succeeded(now_s, now_s - sent.at_s)
        if sent.owed is not None:
            target.load.silence.learn(sent.owed, now_s)

    def _compare(self, attempts: Attempts, sent: Sent, status: int) -> None:
        """Tell by what one target has answered how it stands with another that was asked the same before."""
        if status in GATEWAY_STATUSES:
            return
        now_s, moved, busy = self.monotonic(), attempts.moved, attempts.busy
        if moved is not None and moved.owed is not None and moved.waited_s is not None:
            waited_s, attempts.moved = moved.waited_s, None
            if moved.target.load.silence.miss(moved.owed, waited_s, now_s - sent.at_s, now_s):
                self._doubt = True
                moved.target.load.failed(now_s)
                self._judge(moved.target, f"it was silent for {waited_s:.1f} s, and {sent.target} answered")
        if busy is not None:
            others = [other.load for other in self._usable if other is not busy.target]
            if balancing.rest(busy.target.load, others, busy.retry_s, now_s, self._rules):
                self._ejected = True
                logger.info("%s of %s is busy, and gets nothing for %.0f s", busy.target, self, busy.retry_s)

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

    def _look_again(self, now_s: float) -> None:
        self._look_at_s = now_s + LOOK_EVERY_S
        self._looker = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        """See who owes answers for too long; ask others in its place as far as the budget goes."""
        self._looker, now_s = None, self.monotonic()
        if now_s < self._look_at_s + 2 * LOOK_EVERY_S:  # else this process stood still, and has not read what has come
            ready = [target for target in self._usable if target.load.ready and target.is_in(now_s)]
            for target in self._usable:
                others = [other.load.silence for other in self._usable if other is not target]
                another = any(other is not target for other in ready)
                for owed in silence.overdue(target.load.silence, others, now_s, another_is_ready=another):
                    self._move(*self._under_way[owed], now_s)
                self._doubt = self._doubt or target.load.silence.suspected(now_s)
        if self._under_way:
            self._look_again(now_s)

    def _move(self, attempts: Attempts, sent: Sent, now_s: float) -> None:
        waited_s = now_s - sent.at_s
        told = f"it says nothing for {waited_s:.1f} s"
        if sent.waited_s is None and sent.give_up and self._may_go_on(attempts, told):
            sent.waited_s = waited_s
            if sent.owed is not None:
                sent.target.load.silence.learn(sent.owed, now_s)
            sent.give_up()

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
            if now_s >= until_s and target.load.rests:
                balancing.readmit(target.load, now_s)
                self._doubt = True
            elif now_s >= until_s and not target.on_trial:
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
            self._doubt = True
            logger.warning("%s of %s has answered, and is tried with a few requests", target, self)
        else:
            balancing.eject(target.load, self.monotonic(), self._rules)
