"""Batches until they expire: what is left over then goes back to Redis."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from veneer.core.rate import RateLimit
from veneer.limits.bucket_calls import BucketCalls
from veneer.limits.held_batches import Batch
from veneer.limits.rate_counts import RateCounts
from veneer.loop.tasks import Tasks
from veneer.ports import Clock
from veneer.redis.script import FAILURES

_CLOSING_S = 1.0
_LATE_S = 0.05
"""Within this time the batches of another limit, which live for less, are noticed."""


class _Expiring(NamedTuple):
    until_s: float
    serial: int
    key: str
    limit: RateLimit
    batch: Batch
    worked_off_s: float


class UnspentBatches:
    """Gives back what is unspent of each batch, once, when nobody may spend it any more.

    A call that fails is not made again, and none is made while Redis is not `available`: what it has not taken back is
    worked off like requests that came. Nor is one made for what is worked off already.
    """

    def __init__(
        self, calls: BucketCalls, available: Callable[[], bool], clock: Clock, tasks: Tasks, counts: RateCounts
    ) -> None:
        self._calls = calls
        self._available = available
        self._clock = clock
        self._tasks = tasks
        self._counts = counts
        self._expiring: list[_Expiring] = []
        self._serial = 0
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._expiring)

    def watch(self, key: str, limit: RateLimit, batch: Batch, worked_off_s: float) -> None:
        """Give back what is left of a batch when it has expired, unless all of it is worked off by then."""
        self._serial += 1
        heapq.heappush(self._expiring, _Expiring(batch.until_s, self._serial, key, limit, batch, worked_off_s))
        if self._task is None or self._task.done():
            self._task = self._tasks.start(self._watch(), "rate limits: give back what expires")

    async def _watch(self) -> None:
        while self._expiring:
            wait_s = self._expiring[0].until_s - self._clock.monotonic()
            await asyncio.sleep(min(max(wait_s, 0.0), _LATE_S))
            await self.give_back(self._clock.monotonic())

    async def give_back(self, now_s: float) -> None:
        """Give back what is left of all batches that have expired by then."""
        over = []
        while self._expiring and self._expiring[0].until_s <= now_s:
            over.append(heapq.heappop(self._expiring))
        await asyncio.gather(*(self._give_back(one) for one in over if one.batch.left))

    async def aclose(self) -> None:
        """Give back what is held, expired or not, within a second: nothing more is spent here."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_S):
                await self.give_back(float("inf"))
                if self._task is not None:
                    await asyncio.wait((self._task,))  # which may be giving back

    async def _give_back(self, one: _Expiring) -> None:
        unspent = one.batch.take_unspent()  # before anything is waited for: from here on nobody spends it
        self._counts.unspent += unspent
        if not self._available() or self._clock.monotonic() >= one.worked_off_s:
            return
        self._counts.calls += 1
        try:
            self._counts.given_back += await self._calls.give_back(one.key, one.limit, one.batch.ticket, unspent)
        except FAILURES:
            self._counts.errors += 1
