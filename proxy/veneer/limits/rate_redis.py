"""Rate limits shared through Redis: one call for a request, none for one that is known to be refused."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from veneer.core.rate import MICROS, RateLimit, RateOnStoreLoss, RateVerdict, client_key
from veneer.limits.bounded import BoundedMap
from veneer.limits.rate_memory import MemoryRates
from veneer.ports import Clock
from veneer.redis.keys import rate_key
from veneer.redis.script import FAILURES, RedisCaller, Script
from veneer.troubles import Troubles

logger = logging.getLogger(__name__)

_ADMIT = Script.load("admit")
_LEASE_S = 1.0
"""How long a leased batch may be used: what is not used by then is not made up for."""


@dataclass(slots=True)
class RateCounts:
    """What the shared rate store has done since the start."""

    calls: int = 0
    errors: int = 0
    refused_locally: int = 0
    leased: int = 0
    local_share: int = 0
    open: int = 0
    closed: int = 0


@dataclass(frozen=True, slots=True)
class RedisRateSettings:
    """How Redis is asked. `timeout_s` bounds one call; while Redis is away it is tried every `retry_every_s`."""

    timeout_s: float = 0.25
    retry_every_s: float = 0.5
    most_clients: int = 100_000


class _Lease(NamedTuple):
    """Requests already counted in Redis that this node may still admit, and the answer to give meanwhile."""

    left: int
    until_s: float
    answer: RateVerdict


class RedisRates:
    """A RateStore shared by every node on one Redis, Sentinel or Cluster (each call touches one key).

    A client refused once is refused here, without asking, until the moment Redis computed; limits with
    `accuracy: leased` admit from batches. While Redis is away each limit does what its `on_store_loss` says;
    `nodes` then tells how many nodes share it. One request tries Redis again every `retry_every_s`.
    """

    def __init__(
        self, redis: RedisCaller, clock: Clock, nodes: Callable[[], int], settings: RedisRateSettings | None = None
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._nodes = nodes
        self._settings = settings or RedisRateSettings()
        self._local = MemoryRates(clock, self._settings.most_clients)
        self._refused_until_s: BoundedMap[float] = BoundedMap(self._settings.most_clients // 10)
        self._leases: BoundedMap[_Lease] = BoundedMap(self._settings.most_clients // 10)
        self._shares: BoundedMap[RateLimit] = BoundedMap(1_000)
        self._troubles = Troubles(logger, clock.monotonic, "rate limits", "each limit's on_store_loss holds")
        self._try_again_s = 0.0
        self.counts = RateCounts()

    @property
    def available(self) -> bool:
        """Whether Redis answered when it was last asked."""
        return self._troubles.present is None

    @property
    def forgotten(self) -> int:
        """Clients whose local state was given up while Redis was away, as MemoryRates counts them."""
        return self._local.forgotten

    async def admit(self, client: str, limit: RateLimit) -> RateVerdict:
        """Count one request of `client` against `limit`."""
        key = client_key(limit, client)
        answer = self.admit_now(key, limit, self._clock.monotonic())
        return answer if answer is not None else await self._ask(key, limit)

    def admit_now(self, key: str, limit: RateLimit, now_s: float) -> RateVerdict | None:
        """The answer that needs no call, or None: a known refusal, a leased place, what holds while Redis is away."""
        refusal = self.refusal_now(key, limit, now_s)
        if refusal is not None:
            return refusal
        lease = self._leases.get(key)
        if lease is not None:
            if lease.left and now_s < lease.until_s:
                self._leases[key] = lease._replace(left=lease.left - 1)
                self.counts.leased += 1
                return _with_left(lease.answer, lease.left - 1)
            self._leases.discard(key)
        if not self.available and now_s < self._try_again_s:
            return self._without_redis(key, limit)
        return None

    def refusal_now(self, key: str, limit: RateLimit, now_s: float) -> RateVerdict | None:
        """The refusal that Redis computed for this moment."""
        until_s = self._refused_until_s.get(key)
        if until_s is None:
            return None
        if now_s < until_s:
            self.counts.refused_locally += 1
            return _refusal(limit, until_s - now_s)
        self._refused_until_s.discard(key)
        return None

    async def _ask(self, key: str, limit: RateLimit) -> RateVerdict:
        before_s = self._clock.monotonic()
        if not self.available:  # this request is the one that tries; the others go on without Redis
            self._try_again_s = before_s + self._settings.retry_every_s
        try:
            granted, backlog_us = await self._call(key, limit)
        except FAILURES as error:
            self._lost(error)
            return self._without_redis(key, limit)
        self._found()
        answer = RateVerdict(limit, granted > 0, backlog_us)
        if not granted:
            # From the moment before the call: the local refusal never outlasts the computed one.
            self._refused_until_s[key] = before_s + answer.retry_after_s
        elif granted > 1:
            self._keep(key, _Lease(granted - 1, before_s + _LEASE_S, answer), limit.batch)
            return _with_left(answer, granted - 1)
        return answer

    def _keep(self, key: str, lease: _Lease, batch: int) -> None:
        held = self._leases.get(key)
        # Requests that asked side by side each brought a batch: one is kept, the bound on what is outstanding.
        left = lease.left if held is None else min(batch, held.left + lease.left)
        self._leases[key] = lease._replace(left=left)

    async def _call(self, key: str, limit: RateLimit) -> tuple[int, int]:
        arguments = (limit.interval_us, limit.tolerance_us, limit.batch)
        self.counts.calls += 1
        reply = await _ADMIT.run(self._redis, (rate_key(key),), arguments, self._settings.timeout_s)
        return msgspec.convert(reply, tuple[int, int])

    def _lost(self, error: BaseException) -> None:
        self.counts.errors += 1
        self._try_again_s = self._clock.monotonic() + self._settings.retry_every_s
        self._troubles.met(error)

    def _found(self) -> None:
        self._troubles.over()

    def _without_redis(self, key: str, limit: RateLimit) -> RateVerdict:
        if limit.on_store_loss is RateOnStoreLoss.OPEN:
            self.counts.open += 1
            return RateVerdict(limit, True, limit.interval_us)
        if limit.on_store_loss is RateOnStoreLoss.CLOSED:
            self.counts.closed += 1
            return _refusal(limit, self._settings.retry_every_s)
        self.counts.local_share += 1
        share = self._share(limit)
        answer = self._local.admit_now(f"{key}/{share.key}", share, self._clock.monotonic())
        # In the limit's own terms: what remains is the share's, and so is the wait.
        if answer.allowed:
            return RateVerdict(limit, True, limit.tolerance_us - (answer.remaining - 1) * limit.interval_us)
        return _refusal(limit, answer.retry_after_s)

    def _share(self, limit: RateLimit) -> RateLimit:
        nodes = max(1, self._nodes())
        name = f"{limit.key}/{nodes}"
        share = self._shares.get(name)
        if share is None:
            share = self._shares[name] = limit.share(nodes)
        return share


def _refusal(limit: RateLimit, wait_s: float) -> RateVerdict:
    return RateVerdict(limit, False, limit.tolerance_us + max(1, round(wait_s * MICROS)))


def _with_left(answer: RateVerdict, left: int) -> RateVerdict:
    """An answer that counts what a lease still holds as not yet used."""
    return RateVerdict(answer.limit, answer.allowed, answer.backlog_us - left * answer.limit.interval_us)
