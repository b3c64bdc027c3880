"""The calls by which Redis counts requests: to take some, and to give back what was not spent."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from veneer.core.rate import RateLimit
from veneer.limits.held_batches import BatchTicket
from veneer.redis.keys import rate_key
from veneer.redis.script import RedisAsker, Script

_ADMIT = Script.load("bucket", "admit")
_GIVE_BACK = Script.load("bucket", "give_back")


class GrantedBatch(NamedTuple):
    """What Redis granted, and the client's backlog with it."""

    granted: int
    backlog_us: int
    ticket: BatchTicket


class BucketCalls:
    """One call, one key. Each raises one of `redis.script.FAILURES`, and may have been carried out, even twice."""

    def __init__(self, redis: RedisAsker, timeout_s: float) -> None:
        self._redis = redis
        self._timeout_s = timeout_s

    async def take(self, key: str, limit: RateLimit, want: int, shares: int, least: int) -> GrantedBatch:
        """Count up to `want` requests: at most the `shares`th part of what is left (but one), none if under `least`."""
        arguments = (limit.interval_us, limit.tolerance_us, want, shares, least)
        reply = await _ADMIT.run(self._redis, (rate_key(key),), arguments, self._timeout_s)
        granted, backlog_us, *ticket = msgspec.convert(reply, tuple[int, int, int, int, int])
        return GrantedBatch(granted, backlog_us, BatchTicket(*ticket))

    async def give_back(self, key: str, limit: RateLimit, ticket: BatchTicket, unspent: int) -> int:
        """Count `unspent` requests of a batch as never sent; returns how many of them were not worked off yet."""
        arguments = (limit.interval_us, limit.tolerance_us, unspent, *ticket)
        reply = await _GIVE_BACK.run(self._redis, (rate_key(key),), arguments, self._timeout_s)
        return msgspec.convert(reply, int) // limit.interval_us
