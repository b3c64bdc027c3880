"""Rate limits shared through Redis: no request waits for a call while something is held that was counted beforehand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from veneer.core.batches import BatchTerms, terms_of
from veneer.core.rate import MICROS, RateLimit, RateVerdict, client_key, grants
from veneer.limits.bucket_calls import BucketCalls, GrantedBatch
from veneer.limits.held_batches import Batch, ClientBatches, HeldBatches
from veneer.limits.rate_counts import RateCounts
from veneer.limits.rate_memory import MemoryRates
from veneer.limits.refusals import KnownRefusals
from veneer.limits.unspent import UnspentBatches
from veneer.limits.without_store import RatesWithoutStore
from veneer.loop.tasks import Tasks
from veneer.ports import Clock
from veneer.redis.script import FAILURES, RedisAsker
from veneer.redis.states import RedisStates
from veneer.redis.tries import RedisTries

_MOST_JOINED: Final = 2
"""Batches that a request waits for before it asks for itself alone."""
_LEAST_AHEAD: Final = 2
"""A batch of one is none: that one request would ask just so."""


@dataclass(frozen=True, slots=True)
class RedisRateSettings:
    """How Redis is asked. `timeout_s` bounds one call; while Redis is away it is tried every `retry_every_s`."""

    timeout_s: float = 0.25
    retry_every_s: float = 0.5
    most_clients: int = 100_000


class RedisRates:
    """A RateStore shared by every node on one Redis, Sentinel or Cluster (each call touches one key).

    What a limit's accuracy allows is taken in batches (veneer.core.batches) and admitted from them; a client refused
    once is refused here, without asking, until the moment Redis computed. While Redis is away each limit does what its
    `on_store_loss` says, and Redis is tried again every `retry_every_s`, beside the requests. `nodes` tells how many
    nodes share.
    """

    def __init__(
        self,
        redis: RedisAsker,
        clock: Clock,
        nodes: Callable[[], int],
        tasks: Tasks,
        settings: RedisRateSettings | None = None,
        states: RedisStates | None = None,
    ) -> None:
        self._settings = settings or RedisRateSettings()
        self._monotonic = clock.monotonic
        self._nodes = nodes
        self._tasks = tasks
        self.counts = RateCounts()
        self._calls = BucketCalls(redis, self._settings.timeout_s)
        self._held = HeldBatches(self._settings.most_clients // 10)
        self._unspent = UnspentBatches(self._calls, lambda: self.available, clock, tasks, self.counts)
        self._refusals = KnownRefusals(self._settings.most_clients // 10)
        self._local = MemoryRates(clock, self._settings.most_clients)
        self._alone = RatesWithoutStore(self._local, nodes, self.counts, self._settings.retry_every_s)
        states = states or RedisStates(clock.monotonic)
        self._tries = RedisTries(states, states.answered, 1, self._settings.retry_every_s)
        self._closed = False

    @property
    def available(self) -> bool:
        """Whether Redis answered when it was last asked."""
        return self._tries.works

    @property
    def forgotten(self) -> int:
        """Clients whose local state was given up while Redis was away, as MemoryRates counts them."""
        return self._local.forgotten

    def __len__(self) -> int:
        """Clients that are counted here, while Redis is away."""
        return len(self._local)

    @property
    def most_clients(self) -> int:
        """How many may be."""
        return self._local.most_clients

    async def aclose(self) -> None:
        """Give back what is held; nothing is admitted from now on without asking."""
        self._closed = True
        await self._unspent.aclose()

    async def admit(self, client: str, limit: RateLimit) -> RateVerdict:
        """Count one request of `client` against `limit`."""
        key = client_key(limit, client)
        answer = self.admit_now(key, limit, self._monotonic())
        return answer if answer is not None else await self._ask(key, limit)

    def admit_now(self, key: str, limit: RateLimit, now_s: float) -> RateVerdict | None:
        """The answer that needs no call, or None: from a batch, a known refusal, what holds while Redis is away."""
        held = self._held.get(key)
        if held is not None:
            admitted = held.spend(limit, now_s)
            if admitted is not None:
                self.counts.batched += 1
                if held.is_low():
                    self._ask_ahead(held, now_s)
                return admitted
        refusal = self._refusals.now(key, limit, now_s)
        if refusal is not None:
            self.counts.refused_locally += 1
            return refusal
        if self._tries.works:
            return None
        if self._tries.admits(now_s):
            self._try_again(key, limit, now_s)
        return self._alone.admit_now(key, limit, now_s)

    def refusal_now(self, key: str, limit: RateLimit, now_s: float) -> RateVerdict | None:
        """The refusal that Redis computed for this moment, where nothing is held."""
        refusal = self._refusals.now(key, limit, now_s)
        if refusal is None:
            return None
        held = self._held.get(key)
        if held is not None and held.holds(now_s):
            return None
        self.counts.refused_locally += 1
        return refusal

    def _try_again(self, key: str, limit: RateLimit, now_s: float) -> None:
        """See whether Redis is back, beside the requests: none waits for the answer of who may not give any.

        Two requests are asked for, the least that a call without a request of its own counts: whether Redis takes
        writes is tried as well.
        """
        held = self._held.of(key, limit, now_s)
        if held.asking is None and not self._closed and not self._tasks.full:
            self._tries.begin()
            self._start(held, terms_of(limit, self._nodes()), _LEAST_AHEAD, own=0)

    def _ask_ahead(self, held: ClientBatches, now_s: float) -> None:
        """Ask for the next batch beside the requests, unless it comes already or would be none."""
        if held.asking is not None or held.near or self._closed or self._tasks.full or not self.available:
            return
        terms = terms_of(held.limit, self._nodes())
        want = held.wants(terms, now_s)
        if want >= _LEAST_AHEAD:
            self._start(held, terms, want, own=0)

    async def _ask(self, key: str, limit: RateLimit) -> RateVerdict:
        """Ask Redis, or wait for the batch that another request of this client has asked for."""
        terms = terms_of(limit, self._nodes())
        held = self._held.of(key, limit, self._monotonic())
        for _ in range(_MOST_JOINED):
            asking = held.asking
            if asking is None:
                want = held.wants(terms, self._monotonic())
                if want < _LEAST_AHEAD or held.near or self._closed or self._tasks.full:
                    break
                # Shielded: what the call brings is for all who wait, also where this client goes.
                return await asyncio.shield(self._start(held, terms, want, own=1))
            held.waiting += 1
            try:
                await asyncio.wait((asking,))
            finally:
                held.waiting -= 1
            answer = self.admit_now(key, limit, self._monotonic())
            if answer is not None:
                return answer
        return await self._take(held, terms, 1, own=1)

    def _start(self, held: ClientBatches, terms: BatchTerms, want: int, *, own: int) -> asyncio.Task[RateVerdict]:
        task = held.asking = self._tasks.start(self._take_shared(held, terms, want, own), "rate limits: take a batch")
        return task

    async def _take_shared(self, held: ClientBatches, terms: BatchTerms, want: int, own: int) -> RateVerdict:
        try:
            return await self._take(held, terms, want, own)
        finally:
            held.asking = None

    async def _take(self, held: ClientBatches, terms: BatchTerms, want: int, own: int) -> RateVerdict:
        """Take up to `want`; `own` is 1 where a request asks, whose verdict is returned, 0 where it is done ahead."""
        limit, before_s = held.limit, self._monotonic()
        self.counts.calls += 1
        try:
            granted = await self._calls.take(held.key, limit, want, terms.shares, _LEAST_AHEAD - own)
        except FAILURES as error:
            self.counts.errors += 1
            self._tries.failed(error, self._monotonic())
            if not own:
                return RateVerdict(limit, False, 0)
            return self._alone.admit_now(held.key, limit, self._monotonic())
        self._tries.succeeded()
        few = grants(limit, granted.backlog_us, 2 * terms.shares) < 2 * terms.shares
        # Where Redis answers after a life, batches only make requests wait for each other.
        held.near = few or (terms.adapts and self._monotonic() >= before_s + terms.life_s)
        if granted.granted:
            return self._keep(held, terms, granted, before_s, own)
        if own:
            # From the moment before the call: the local refusal never outlasts the computed one.
            self._refusals.note(held.key, before_s + RateVerdict(limit, False, granted.backlog_us).retry_after_s)
        return RateVerdict(limit, False, granted.backlog_us)

    def _keep(
        self, held: ClientBatches, terms: BatchTerms, granted: GrantedBatch, before_s: float, own: int
    ) -> RateVerdict:
        """Keep what was granted beyond the `own` request of who asked."""
        left, now_s = granted.granted - own, self._monotonic()
        # From the moment before the call: Redis counted it after that, so it is spent at most one life later.
        batch = Batch(granted.granted, left, before_s + terms.life_s, granted.ticket, ahead=terms.adapts)
        if left:
            self.counts.batches += 1
            self.counts.refills += 1 - own
        if left and terms.adapts:
            self._unspent.watch(held.key, held.limit, batch, now_s + granted.backlog_us / MICROS)
        return held.add(batch, granted.backlog_us, now_s)
