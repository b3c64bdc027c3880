"""Keeps requests away from a backend that is known to be down: passively (breaker) and actively (checks)."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from veneer.core import breaker as circuit
from veneer.core.breaker import Breaker
from veneer.core.fields import Fields
from veneer.core.messages import RequestHead
from veneer.core.overload import ANY_CLAIM, Claim
from veneer.loop.tasks import Tasks
from veneer.policy.model import BreakerRules, HealthRules
from veneer.ports import Clock, Content, Demand, InterimSink, UpstreamError, UpstreamFailure, UpstreamResponse
from veneer.upstream.gate import Load
from veneer.upstream.lease import PoolLease
from veneer.upstream.opened import OpenUpstream
from veneer.upstream.pool import UpstreamPool
from veneer.upstream.response import BackendResponse

logger = logging.getLogger(__name__)

BACKEND_FAILURES: Final = frozenset(
    {
        UpstreamFailure.CONNECT,
        UpstreamFailure.CONNECT_TIMEOUT,
        UpstreamFailure.READ_TIMEOUT,
        UpstreamFailure.WRITE_TIMEOUT,
        UpstreamFailure.RESET,
    }
)
"""What keeps a whole response head from coming, by the backend's fault."""

_TRIAL_S: Final = 2.0
_TRIAL: Final = RequestHead("OPTIONS", "/", None, "", Fields())
"""Cheap, safe, and understood by every server: its answer may have any status."""


class BreakerGuard:
    """Implements `veneer.ports.Upstream` over a pool: fails fast while the backend keeps failing.

    Counted is what keeps a whole response head from coming; an answer of any status is a success. Whether an open
    breaker may be closed is tried by a request of its own, the health check where there is one: a client's may take
    long, and may be one that must not fail.
    """

    def __init__(self, pool: OpenUpstream, rules: BreakerRules, clock: Clock) -> None:
        self.guarded = pool
        self._rules = rules
        self._clock = clock
        self._breaker = Breaker()

    @property
    def state(self) -> str:
        """The breaker's, for who watches."""
        return circuit.state_at(self._breaker, self._clock.monotonic())

    async def exchange(
        self,
        request: RequestHead,
        body: Content | None,
        on_interim: InterimSink | None = None,
        *,
        read_timeout_s: float | None = None,
        demand: Demand | None = None,
    ) -> UpstreamResponse:
        """As the pool does, or UpstreamError UNHEALTHY at once."""
        self._refuse_while_open()
        if self._breaker.open_until is not None:
            await self._try()
        try:
            response = await self.guarded.exchange(
                request, body, on_interim, read_timeout_s=read_timeout_s, demand=demand
            )
        except UpstreamError as error:
            self._note(error)
            raise
        if self._breaker.open_until is None:  # else it was opened meanwhile, and is closed by a try
            self._breaker = circuit.succeeded()
        return response

    async def _try(self) -> None:
        """Close the breaker, or raise UpstreamError UNHEALTHY."""
        self._breaker = circuit.begun(self._breaker)
        try:
            pool = self.guarded
            if isinstance(pool, CheckedPool):
                well = await pool.check()
            else:
                well = await answers_at_all(pool)
        except BaseException:
            self._breaker = circuit.abandoned(self._breaker)
            raise
        if well:
            self._breaker = circuit.succeeded()
            return
        rules = self._rules
        self._breaker = circuit.failed(self._breaker, self._clock.monotonic(), rules.failures, rules.open_s)
        self._refuse_while_open()

    @property
    def is_open(self) -> bool:
        """Whether requests are kept away."""
        return self._breaker.open_until is not None

    async def look(self, request: RequestHead) -> UpstreamResponse:
        """As the pool, or UpstreamError UNHEALTHY at once; what comes of it is not counted."""
        self._refuse_while_open()
        return await self.guarded.look(request)

    def head_bytes(self, request: RequestHead, *, has_body: bool = False) -> bytes:
        """As the pool."""
        return self.guarded.head_bytes(request, has_body=has_body)

    def load(self) -> Load:
        """As the pool."""
        return self.guarded.load()

    def lease_now(self, now_s: float, claim: Claim = ANY_CLAIM) -> None:
        """None: what comes of an exchange is counted where it is awaited."""

    async def aclose(self) -> None:
        """Close the pool."""
        await self.guarded.aclose()

    def _refuse_while_open(self) -> None:
        now_s, breaker = self._clock.monotonic(), self._breaker
        if not circuit.admits(breaker, now_s):
            detail = f"{breaker.failures} exchanges in a row have failed; trying again soon"
            left_s = 0.0 if breaker.open_until is None else breaker.open_until - now_s
            raise UpstreamError(UpstreamFailure.UNHEALTHY, detail, sent=False, retry_s=left_s)

    def _note(self, error: UpstreamError) -> None:
        if error.failure not in BACKEND_FAILURES:
            return
        rules = self._rules
        before = self._breaker
        self._breaker = circuit.failed(before, self._clock.monotonic(), rules.failures, rules.open_s)
        if before.open_until is None and self._breaker.open_until is not None:
            logger.warning("the breaker of %s is open after %d failures: %s", self.guarded, before.failures + 1, error)


class CheckedPool:
    """Implements `veneer.ports.Upstream` over a pool: refuses while the health check says the backend is down.

    It counts as up until `unhealthy_after` checks in a row have failed. `start` begins the checks, `aclose` ends them.
    """

    def __init__(self, pool: UpstreamPool, rules: HealthRules) -> None:
        self._pool = pool
        self._rules = rules
        self._streak = 0  # checks in a row that contradict `healthy`
        self._watch: asyncio.Task[None] | None = None
        self.healthy = True

    def __str__(self) -> str:
        return str(self._pool)

    async def exchange(
        self,
        request: RequestHead,
        body: Content | None,
        on_interim: InterimSink | None = None,
        *,
        read_timeout_s: float | None = None,
        demand: Demand | None = None,
    ) -> BackendResponse:
        """As the pool does, or UpstreamError UNHEALTHY at once."""
        self._refuse_while_down()
        return await self._pool.exchange(request, body, on_interim, read_timeout_s=read_timeout_s, demand=demand)

    async def look(self, request: RequestHead) -> BackendResponse:
        """As the pool, or UpstreamError UNHEALTHY at once."""
        self._refuse_while_down()
        return await self._pool.look(request)

    def head_bytes(self, request: RequestHead, *, has_body: bool = False) -> bytes:
        """As the pool."""
        return self._pool.head_bytes(request, has_body=has_body)

    def load(self) -> Load:
        """As the pool."""
        return self._pool.load()

    def lease_now(self, now_s: float, claim: Claim = ANY_CLAIM) -> PoolLease | None:
        """As the pool does while the backend is up."""
        return self._pool.lease_now(now_s, claim) if self.healthy else None

    def start(self, tasks: Tasks) -> None:
        """Check from now on."""
        self._watch = tasks.start(self.watch(), f"health check of {self._pool}")

    async def aclose(self) -> None:
        """Stop checking and close the pool."""
        if self._watch is not None:
            self._watch.cancel()
        await self._pool.aclose()

    async def watch(self) -> None:
        """Check for ever."""
        while True:
            self.note(good=await self.check())
            await asyncio.sleep(self._rules.every_s)

    async def check(self) -> bool:
        """One check: does the path answer 2xx or 3xx in time?"""
        path, _, query = self._rules.path.partition("?")
        status = await _status(self._pool, RequestHead("GET", path, query or None, "", Fields()), self._rules.timeout_s)
        return status is not None and 200 <= status < 400

    def _refuse_while_down(self) -> None:
        if not self.healthy:
            detail, again_s = "the health check fails", self._rules.every_s
            raise UpstreamError(UpstreamFailure.UNHEALTHY, detail, sent=False, retry_s=again_s)

    def note(self, *, good: bool) -> None:
        """Count one check."""
        self._streak = 0 if good is self.healthy else self._streak + 1
        needed = self._rules.healthy_after if good else self._rules.unhealthy_after
        if self._streak >= needed:
            self.healthy, self._streak = good, 0
            logger.warning("%s is %s by its health check", self._pool, "up" if good else "down")


async def answers_at_all(pool: OpenUpstream) -> bool:
    """Whether a cheap request is answered, with any status."""
    return await _status(pool, _TRIAL, _TRIAL_S) is not None


async def _status(pool: OpenUpstream, request: RequestHead, within_s: float) -> int | None:
    """The status of the backend's answer, whole and in time; None where there is none."""
    try:
        async with asyncio.timeout(within_s):
            response = await pool.look(request)
            try:
                async for _ in response.body():
                    pass
            finally:
                await response.aclose()
    except (UpstreamError, TimeoutError):
        return None
    return response.head.status
