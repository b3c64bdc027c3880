"""What redis/lua/bucket.lua, admit.lua and give_back.lua do, in Python: tests hold the scripts to it.

`BucketServer` is a Redis that knows nothing but these.
"""

from __future__ import annotations

import asyncio
import re
from typing import Final, NamedTuple

from redis.exceptions import ConnectionError as RedisConnectionError

from tests.support.clock import ManualClock
from veneer.core.rate import RateLimit, grants
from veneer.limits.held_batches import BatchTicket
from veneer.redis.script import Argument, Reply, Script

_GIVEN: Final = re.compile(r"(\d+):(\d+)")


class Bucket(NamedTuple):
    """The value of a key."""

    whole_at_us: int = 0
    since_us: int = 0
    returned_us: int = 0
    floor: int = 0
    batches: str = ","


class Admitted(NamedTuple):
    """The answer of admit.lua."""

    granted: int
    backlog_us: int
    ticket: BatchTicket


def opened(bucket: Bucket, limit: RateLimit, now_us: int) -> tuple[Bucket, int]:
    """The bucket as it is now, and its backlog."""
    backlog, most = bucket.whole_at_us - now_us, limit.tolerance_us + limit.interval_us
    if 0 < backlog <= most:
        return bucket, backlog
    since = now_us + 1 if now_us == bucket.since_us else now_us
    backlog = most if backlog > 0 else 0
    return Bucket(now_us + backlog, since), backlog


def admit(
    bucket: Bucket, limit: RateLimit, now_us: int, want: int, shares: int = 1, least: int = 1
) -> tuple[Bucket, Admitted]:
    """As admit.lua."""
    after, backlog = opened(bucket, limit, now_us)
    left = grants(limit, backlog, 10**9)
    granted = min(want, max(1, left // shares)) if left else 0
    if granted < least:
        granted = 0
    backlog += granted * limit.interval_us
    after = after._replace(whole_at_us=now_us + backlog)
    answer = Admitted(granted, backlog, BatchTicket(after.whole_at_us, after.since_us, after.returned_us))
    return (after if granted else bucket), answer


def give_back(bucket: Bucket, limit: RateLimit, now_us: int, unspent: int, ticket: BatchTicket) -> tuple[Bucket, int]:
    """As give_back.lua."""
    after, backlog = opened(bucket, limit, now_us)
    number = ticket.whole_at_us + ticket.returned_us - ticket.since_us
    given = [(int(other), int(amount)) for other, amount in _GIVEN.findall(after.batches)]
    if after.since_us != ticket.since_us or number <= after.floor or number in dict(given):
        return bucket, 0
    behind = sum(amount for other, amount in given if other > number)
    not_worked_off = ticket.whole_at_us - (after.returned_us - ticket.returned_us - behind) - now_us
    back = min(unspent * limit.interval_us, not_worked_off, backlog)
    if back <= 0:
        return bucket, 0
    floor, batches = after.floor, f"{after.batches}{number}:{back},"
    if len(batches) > 512:
        first, others = batches[1:].split(",", 1)
        floor, batches = max(floor, int(first.split(":")[0])), f",{others}"
    if backlog == back:
        return Bucket(), back
    return Bucket(now_us + backlog - back, after.since_us, after.returned_us + back, floor, batches), back


class BucketServer:
    """A `redis.script.RedisCaller` for the scripts of limits: it fails while it is `gone`, and answers while `open`."""

    def __init__(self, clock: ManualClock, limit: RateLimit) -> None:
        self._clock = clock
        self._limit = limit
        self._admit = Script.load("bucket", "admit").digest
        self.buckets: dict[str, Bucket] = {}
        self.gone = False
        self.open = asyncio.Event()
        self.open.set()
        self.called = 0

    async def ask(self, timeout_s: float, *words: Argument) -> Reply:
        """As the port."""
        self.called += 1
        await self.open.wait()
        if self.gone:
            raise RedisConnectionError("gone")
        _, digest, _, key, interval, tolerance, *rest = words
        assert (interval, tolerance) == (self._limit.interval_us, self._limit.tolerance_us)
        numbers = [int(word) for word in rest]
        bucket, now_us = self.buckets.get(str(key), Bucket()), round(self._clock.now() * 1e6)
        if digest == self._admit:
            bucket, answer = admit(bucket, self._limit, now_us, *numbers)
            reply: Reply = [answer.granted, answer.backlog_us, *answer.ticket]
        else:
            bucket, reply = give_back(bucket, self._limit, now_us, numbers[0], BatchTicket(*numbers[1:]))
        self.buckets[str(key)] = bucket
        return reply

    def close(self) -> None:
        """As the port."""
