"""Limits shared in batches, on a real Redis: the scripts, the calls, and four processes that want more than allowed."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import asyncio as aioredis

from tests.support.buckets import Bucket, admit, give_back
from tests.support.calling import calling
from tests.support.redis_fixtures import shared_url
from tests.support.shared_log import until
from veneer.core.rate import RateLimit, RateVerdict, client_key, grants
from veneer.limits.held_batches import BatchTicket
from veneer.limits.rate_redis import RedisRates, RedisRateSettings
from veneer.loop.clock import SystemClock
from veneer.loop.tasks import Tasks
from veneer.redis.script import Script

ROOT = Path(__file__).parents[2]
STILL = RateLimit("still", 1_000, 360_000, 1_000)
"""Nothing comes back into its buckets during a test."""


@asynccontextmanager
async def node(url: str, nodes: int = 1) -> AsyncIterator[RedisRates]:
    tasks = Tasks()
    async with calling(url) as caller:
        rates = RedisRates(caller, SystemClock(), lambda: nodes, tasks, RedisRateSettings(timeout_s=5))
        try:
            yield rates
        finally:
            await rates.aclose()
            await tasks.aclose()


def now(rates: RedisRates, limit: RateLimit = STILL) -> RateVerdict | None:
    return rates.admit_now(client_key(limit, "a"), limit, SystemClock.monotonic())


async def admitted(rates: RedisRates, limit: RateLimit = STILL) -> int:
    """How many are admitted one after the other until one is refused."""
    count = 0
    while (await rates.admit("a", limit)).allowed:
        count += 1
    return count


# ---------------------------------------------------------------- the scripts


def _at(source: Script) -> Script:
    """The script by a clock that the last two arguments tell, and without time-outs by Redis' own."""
    text = source.source.replace("redis.call('TIME')", "{ARGV[#ARGV - 1], ARGV[#ARGV]}")
    return Script.from_source(text.replace("math.ceil(backlog / 1000)", "1000000"))


@pytest.mark.parametrize("seed", range(12))
async def test_the_scripts_do_what_the_model_does(redis_url: str, seed: int) -> None:
    chance, limit = random.Random(seed), RateLimit("p", 10, 1e-3, 12)  # 100 us for one
    takes, gives = _at(Script.load("bucket", "admit")), _at(Script.load("bucket", "give_back"))
    us, bucket, tickets = 1_795_000_000_000_000, Bucket(), list[tuple[int, BatchTicket]]()
    async with calling(redis_url) as caller:
        for _ in range(150):
            us += chance.choice([0, 1, 50, 100, 700, 5_000, -300 if chance.random() < 0.1 else 20])
            clock = divmod(us, 1_000_000)
            numbers = (limit.interval_us, limit.tolerance_us)
            if tickets and chance.random() < 0.6:
                unspent, ticket = chance.choice(tickets[-6:])
                bucket, back = give_back(bucket, limit, us, unspent, ticket)
                assert await gives.run(caller, ("k",), (*numbers, unspent, *ticket, *clock), 5) == back
            else:
                want, shares, least = chance.randint(1, 6), chance.randint(1, 3), chance.randint(1, 2)
                bucket, answer = admit(bucket, limit, us, want, shares, least)
                said = await takes.run(caller, ("k",), (*numbers, want, shares, least, *clock), 5)
                assert said == [answer.granted, answer.backlog_us, *answer.ticket]
                tickets.append((max(1, answer.granted - 1), answer.ticket))
            value = await caller.ask(5, "GET", "k")
            if value is not None:
                assert value == " ".join(map(str, bucket)).encode()


# ---------------------------------------------------------------- the calls


async def test_the_first_call_brings_a_batch_and_what_follows_needs_none(redis_url: str) -> None:
    async with node(redis_url) as rates:
        assert (await rates.admit("a", STILL)).remaining == 999
        assert [answer and answer.remaining for answer in (now(rates), now(rates))] == [998, 997]
        assert rates.counts.calls == 1


async def test_the_next_batch_is_there_before_the_first_is_spent(redis_url: str) -> None:
    async with node(redis_url) as rates:
        await rates.admit("a", STILL)
        now(rates)
        now(rates)
        await until(lambda: rates.counts.refills == 1)
        for _ in range(12):
            assert now(rates) is not None
        assert rates.counts.batched == 14


@pytest.mark.parametrize("kind", ["redis", "cluster", "sentinel"])
async def test_what_a_node_that_stops_had_taken_is_there_for_the_others(
    kind: str, request: pytest.FixtureRequest
) -> None:
    url = shared_url(kind, request)
    async with node(url) as first:
        await first.admit("a", STILL)
    assert (first.counts.unspent, first.counts.given_back) == (3, 3)
    async with node(url) as second:
        assert await admitted(second) == 999


async def test_what_is_not_spent_in_time_is_given_back(redis_url: str) -> None:
    async with node(redis_url) as first, node(redis_url) as second:
        await first.admit("a", STILL)
        await until(lambda: first.counts.given_back == 3)
        assert now(first) is None
        assert await admitted(second) == 999


async def test_near_the_limit_nothing_is_held_and_the_count_is_exact(redis_url: str) -> None:
    few = RateLimit("few", 15, 360_000, 15)
    async with node(redis_url, 2) as one, node(redis_url, 2) as other:
        answers = await asyncio.gather(*(rates.admit("a", few) for _ in range(20) for rates in (one, other)))
        assert sum(answer.allowed for answer in answers) == 15
        assert one.counts.batches == other.counts.batches == 0


async def test_many_at_once_share_a_few_calls(redis_url: str) -> None:
    async with node(redis_url) as rates:
        answers = await asyncio.gather(*(rates.admit("a", STILL) for _ in range(100)))
        assert all(answer.allowed for answer in answers)
        assert rates.counts.calls < 6


async def test_a_request_that_is_given_up_takes_nothing_from_those_that_wait_with_it(redis_url: str) -> None:
    async with node(redis_url) as rates:
        async with asyncio.TaskGroup() as group:
            first, second = (group.create_task(rates.admit("a", STILL)) for _ in range(2))
            await until(lambda: rates.counts.calls == 1)
            first.cancel()
        assert second.result().allowed
        assert rates.counts.calls == 1


async def test_a_batch_of_a_redis_that_was_emptied_is_not_given_back_to_the_next(redis_url: str) -> None:
    async with node(redis_url) as first, node(redis_url) as second:
        await first.admit("a", STILL)
        async with aioredis.from_url(redis_url) as client:
            await client.flushall()
        await second.admit("a", STILL)
        await until(lambda: first.counts.unspent == 3)
        await until(lambda: second.counts.given_back == 3)
        assert first.counts.given_back == 0
        assert await admitted(second) == 999


# ---------------------------------------------------------------- four processes


async def _run_nodes(url: str, limit: RateLimit, seconds: float, count: int = 4) -> list[dict[str, Any]]:
    numbers = (limit.quota, limit.window_s, limit.burst, count, seconds)
    words = [sys.executable, "-m", "tests.support.rate_node", url, *map(str, numbers)]
    pipe = asyncio.subprocess.PIPE
    nodes = [await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe, cwd=ROOT) for _ in range(count)]
    for one in nodes:
        assert one.stdout is not None
        assert await one.stdout.readline() == b"ready\n"
    said = await asyncio.gather(*(one.communicate(b"go\n") for one in nodes))
    return [json.loads(out) for out, _ in said]


@pytest.mark.parametrize(
    "limit", [RateLimit("shared", 6_000, 60, 3_000), RateLimit("shared", 2_000, 2, 2_000)], ids=["minute", "seconds"]
)
async def test_four_processes_admit_what_they_may_and_not_one_percent_more(
    new_redis: Callable[..., Any], limit: RateLimit
) -> None:
    url = new_redis().url
    said = await _run_nodes(url, limit, 2.5)
    times = sorted(moment for one in said for moment in one["admitted"])
    spare = (limit.quota + limit.burst) / 100
    each_s = limit.interval_us / 1e6
    # By how much any window, from one admission to a later one, has more than the burst and what came back in it.
    most, lowest = 0.0, float("inf")
    for place, moment in enumerate(times):
        lowest = min(lowest, place - moment / each_s)
        most = max(most, place + 1 - moment / each_s - lowest - limit.burst)
    assert most <= spare
    last = max(said, key=lambda one: float(one["read_at"]))
    if last["backlog_us"] > 0 or limit.window_s > 2:  # a busy machine may be so late that all is back again
        left = grants(limit, max(0, last["backlog_us"]), limit.burst)
        allowed = limit.burst + (last["read_at"] - times[0]) / each_s
        assert len(times) + left >= 0.98 * allowed
    assert sum(one["errors"] for one in said) == 0
    assert sum(one["batched"] for one in said) > len(times) / 4
