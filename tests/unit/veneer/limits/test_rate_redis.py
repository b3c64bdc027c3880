"""How a node shares a limit, by a clock that stands still and a Redis that does what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from tests.support.buckets import Bucket, BucketServer
from tests.support.clock import ManualClock
from tests.support.shared_log import until
from veneer.core.rate import Accuracy, RateLimit, RateOnStoreLoss, RateVerdict, client_key
from veneer.limits.rate_redis import RedisRates
from veneer.loop.tasks import Tasks
from veneer.redis.keys import rate_key

LIMIT = RateLimit("p", 1_000, 60, 1_000, on_store_loss=RateOnStoreLoss.CLOSED)


@dataclass
class Bench:
    """One node."""

    clock: ManualClock
    redis: BucketServer
    rates: RedisRates
    tasks: Tasks

    def now(self, limit: RateLimit = LIMIT) -> RateVerdict | None:
        return self.rates.admit_now(client_key(limit, "a"), limit, self.clock.monotonic())

    async def ask(self, limit: RateLimit = LIMIT) -> RateVerdict:
        return await self.rates.admit("a", limit)

    async def settled(self) -> None:
        """Calls that were begun have been answered."""
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    clock, tasks = ManualClock(), Tasks()
    redis = BucketServer(clock, LIMIT)
    yield Bench(clock, redis, RedisRates(redis, clock, lambda: 1, tasks), tasks)
    await tasks.aclose()


async def test_no_request_waits_while_something_is_held(bench: Bench) -> None:
    await bench.ask()
    for _ in range(200):
        assert bench.now() is not None
        await bench.settled()
    assert bench.redis.called < 20


async def test_the_next_batch_is_asked_for_once(bench: Bench) -> None:
    await bench.ask()
    bench.redis.open.clear()
    answers = [bench.now() for _ in range(4)]
    await bench.settled()
    assert [answer is not None for answer in answers] == [True, True, True, False]
    assert bench.redis.called == 2


async def test_who_finds_nothing_waits_for_the_call_under_way(bench: Bench) -> None:
    bench.redis.open.clear()
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(bench.ask()) for _ in range(20)]
        await bench.settled()
        assert bench.redis.called == 1
        bench.redis.open.set()
    assert all(task.result().allowed for task in asked)
    assert bench.redis.called < 5


async def test_what_is_held_is_spent_while_redis_is_away(bench: Bench) -> None:
    await bench.ask()
    bench.redis.gone = True
    answers = [await bench.ask() for _ in range(4)]
    assert [answer.allowed for answer in answers] == [True, True, True, False]
    assert bench.rates.counts.closed == 1


async def test_a_batch_that_could_not_be_asked_for_ahead_is_no_answer_to_anybody(bench: Bench) -> None:
    await bench.ask()
    bench.redis.gone = True
    assert [bench.now() is not None for _ in range(2)] == [True, True]
    await bench.settled()
    assert (bench.rates.counts.errors, bench.rates.counts.closed, bench.rates.available) == (1, 0, False)
    assert bench.now() is not None


async def test_redis_is_tried_again_beside_the_requests(bench: Bench) -> None:
    bench.redis.gone = True
    assert not (await bench.ask()).allowed
    bench.redis.gone = False
    bench.redis.open.clear()
    bench.clock.advance(1)
    called = bench.redis.called
    answers = [bench.now() for _ in range(5)]
    await bench.settled()
    assert [answer is not None and not answer.allowed for answer in answers] == [True] * 5
    assert (bench.redis.called - called, bench.rates.available) == (1, False)
    bench.redis.open.set()
    await bench.settled()
    assert bench.rates.available
    assert (await bench.ask()).allowed


async def test_a_batch_that_came_too_late_is_not_spent(bench: Bench) -> None:
    bench.redis.open.clear()
    async with asyncio.TaskGroup() as group:
        asked = group.create_task(bench.ask())
        await bench.settled()
        bench.clock.advance(0.5)
        bench.redis.open.set()
    assert asked.result().allowed
    assert bench.now() is None
    assert bench.rates.counts.batches == 1


async def test_who_waits_for_a_redis_that_is_too_slow_for_batches_asks_at_once(bench: Bench) -> None:
    bench.redis.open.clear()
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(bench.ask()) for _ in range(10)]
        await bench.settled()
        bench.clock.advance(0.5)
        bench.redis.open.set()
        await asyncio.sleep(0)
        bench.redis.open.clear()
        await bench.settled()
        assert bench.redis.called == 11  # the first, nine at once, and the batch that goes back
        bench.redis.open.set()
    assert all(task.result().allowed for task in asked)


async def test_nothing_is_given_back_to_a_redis_that_is_away(bench: Bench) -> None:
    await bench.ask()
    bench.redis.gone = True
    for _ in range(4):
        await bench.ask()
    bench.redis.gone = False
    called = bench.redis.called
    await bench.rates.aclose()
    assert bench.redis.called == called


async def test_strangers_who_come_once_cost_one_call_each(bench: Bench) -> None:
    for number in range(10):
        await bench.rates.admit(f"stranger-{number}", LIMIT)
    bench.clock.advance(0.5)
    await bench.rates.aclose()
    assert (bench.rates.counts.unspent, bench.redis.called) == (30, 10)


async def test_what_is_being_given_back_as_the_node_stops_is_given_back(bench: Bench) -> None:
    whole_at_us = round((bench.clock.now() + 10) * 1e6)
    bench.redis.buckets[rate_key(client_key(LIMIT, "a"))] = Bucket(whole_at_us, 1)
    await bench.ask()
    bench.clock.advance(1)
    bench.redis.open.clear()
    await until(lambda: bench.redis.called == 2)
    async with asyncio.TaskGroup() as group:
        group.create_task(bench.rates.aclose())
        await bench.settled()
        bench.redis.open.set()
    assert bench.rates.counts.given_back == 3


async def test_a_slow_client_is_counted_one_by_one(bench: Bench) -> None:
    for _ in range(5):
        await bench.ask()
        bench.clock.advance(2)
    assert (bench.rates.counts.batches, bench.redis.called) == (1, 5)


async def test_who_is_refused_is_refused_until_then_without_a_call(bench: Bench) -> None:
    while (answer := await bench.ask()).allowed:
        await bench.settled()
    called = bench.redis.called
    refusal = bench.now()
    assert refusal is not None
    assert refusal.retry_after_s == pytest.approx(answer.retry_after_s)
    assert bench.redis.called == called
    bench.clock.advance(answer.retry_after_s)
    assert (await bench.ask()).allowed


async def test_nobody_is_refused_beforehand_while_something_is_held(bench: Bench) -> None:
    key = client_key(LIMIT, "a")
    while (await bench.ask()).allowed:
        await bench.settled()
    assert bench.rates.refusal_now(key, LIMIT, bench.clock.monotonic()) is not None
    bench.clock.advance(0.01)
    bench.redis.buckets.clear()
    bench.rates._held.of(key, LIMIT, bench.clock.monotonic()).near = False
    await bench.rates._ask(key, LIMIT)
    assert bench.now() is not None
    assert bench.rates.refusal_now(key, LIMIT, bench.clock.monotonic()) is None


async def test_a_stopped_node_takes_nothing_ahead(bench: Bench) -> None:
    await bench.ask()
    await bench.rates.aclose()
    assert bench.rates.counts.given_back == 3
    assert bench.now() is None
    assert (await bench.ask()).allowed
    assert bench.now() is None


async def test_exact_limits_are_asked_for_each_time(bench: Bench) -> None:
    exact = replace(LIMIT, accuracy=Accuracy.EXACT)
    answers = [await bench.ask(exact) for _ in range(5)]
    assert [answer.remaining for answer in answers] == [999, 998, 997, 996, 995]
    assert (bench.redis.called, bench.rates.counts.batches) == (5, 0)


async def test_leased_limits_give_nothing_back(bench: Bench) -> None:
    leased = replace(LIMIT, accuracy=Accuracy.LEASED)
    await bench.ask(leased)
    assert [bench.now(leased) is not None for _ in range(100)] == [True] * 99 + [False]
    await bench.ask(leased)
    await bench.rates.aclose()
    assert bench.redis.called == 2
