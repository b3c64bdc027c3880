"""Every RateStore keeps the same promises; what only the shared one promises is below."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from redis import asyncio as aioredis

from devstack.redis import RedisServer
from tests.support.calling import calling
from tests.support.redis_fixtures import shared_url
from veneer.core.rate import Accuracy, RateLimit, RateOnStoreLoss, client_key, grants
from veneer.limits.rate_memory import MemoryRates
from veneer.limits.rate_redis import RedisRates, RedisRateSettings
from veneer.loop.clock import SystemClock
from veneer.loop.tasks import Tasks
from veneer.ports import RateStore
from veneer.redis.keys import rate_key

SLOW = RateLimit("slow", 10, 36_000, 5)
QUICK = RateLimit("quick", 10, 1, 1)
PATIENT = RedisRateSettings(timeout_s=5)


def two_nodes() -> int:
    return 2


def away(store: RedisRates) -> bool:
    return not store.available


@asynccontextmanager
async def redis_rates(url: str, settings: RedisRateSettings = PATIENT) -> AsyncIterator[RedisRates]:
    async with calling(url) as caller:
        tasks = Tasks()
        rates = RedisRates(caller, SystemClock(), two_nodes, tasks, settings)
        try:
            yield rates
        finally:
            await rates.aclose()
            await tasks.aclose()


@pytest.fixture(params=["memory", "redis", "cluster", "sentinel"])
async def rates(request: pytest.FixtureRequest) -> AsyncIterator[RateStore]:
    if request.param == "memory":
        yield MemoryRates(SystemClock())
    else:
        async with redis_rates(shared_url(request.param, request)) as store:
            yield store


async def test_burst_then_refusal(rates: RateStore) -> None:
    answers = [await rates.admit("a", SLOW) for _ in range(7)]
    assert [answer.allowed for answer in answers] == [True] * 5 + [False] * 2
    assert [answer.remaining for answer in answers] == [4, 3, 2, 1, 0, 0, 0]
    assert all(3590 < answer.retry_after_s <= 3600 for answer in answers[5:])
    assert all(answer.limit is SLOW for answer in answers)


async def test_a_refusal_can_be_foretold_and_asking_counts_nothing(rates: RateStore) -> None:
    key, monotonic = client_key(SLOW, "a"), SystemClock.monotonic
    for _ in range(5):
        assert rates.refusal_now(key, SLOW, monotonic()) is None
        assert (await rates.admit("a", SLOW)).allowed
    assert not (await rates.admit("a", SLOW)).allowed
    refusal = rates.refusal_now(key, SLOW, monotonic())
    assert refusal is not None
    assert not refusal.allowed
    assert 3590 < refusal.retry_after_s <= 3600
    assert rates.refusal_now(client_key(SLOW, "b"), SLOW, monotonic()) is None
    assert rates.refusal_now(key, SLOW, monotonic() + 3601) is None


async def test_clients_and_limits_are_counted_apart(rates: RateStore) -> None:
    only = RateLimit("only", 1, 3_600, 1)
    assert (await rates.admit("a", only)).allowed
    assert (await rates.admit("b", only)).allowed
    assert (await rates.admit("a", RateLimit("other", 1, 3_600, 1))).allowed
    assert not (await rates.admit("a", only)).allowed


async def test_a_changed_limit_starts_afresh(rates: RateStore) -> None:
    assert (await rates.admit("a", RateLimit("p", 1, 3_600, 1))).allowed
    assert not (await rates.admit("a", RateLimit("p", 1, 3_600, 1))).allowed
    assert (await rates.admit("a", RateLimit("p", 2, 3_600, 1))).allowed


async def test_a_refused_client_is_admitted_when_it_was_told(rates: RateStore) -> None:
    assert (await rates.admit("a", QUICK)).allowed
    refusal = await rates.admit("a", QUICK)
    while not refusal.allowed:
        await asyncio.sleep(refusal.retry_after_s)
        refusal = await rates.admit("a", QUICK)
    assert refusal.remaining == 0


async def test_of_many_at_once_exactly_the_burst_is_admitted(rates: RateStore) -> None:
    answers = await asyncio.gather(*(rates.admit("a", SLOW) for _ in range(100)))
    assert sum(answer.allowed for answer in answers) == 5


@pytest.mark.parametrize("client", ["", "{a}", "line\nbreak", "ü", "\udc80", "x" * 5_000, "2001:db8::1"])
async def test_any_text_is_a_client(rates: RateStore, client: str) -> None:
    only = RateLimit("only", 1, 3_600, 1)
    assert (await rates.admit(client, only)).allowed
    assert not (await rates.admit(client, only)).allowed


# ---------------------------------------------------------------- Redis alone


async def test_nodes_share_one_count(redis_url: str) -> None:
    async with redis_rates(redis_url) as one, redis_rates(redis_url) as other:
        answers = await asyncio.gather(*(store.admit("a", SLOW) for store in (one, other) for _ in range(50)))
    assert sum(answer.allowed for answer in answers) == 5


async def test_redis_counts_as_the_core_does(redis_url: str) -> None:
    limit = RateLimit("p", 7, 700_000, 4)
    async with redis_rates(redis_url) as store, aioredis.from_url(redis_url) as client:
        for backlog_us in (0, 1, limit.interval_us, limit.tolerance_us - 1, limit.tolerance_us, limit.tolerance_us + 9):
            name = f"at-{backlog_us}"
            seconds, micros = await client.time()
            whole_at_us = seconds * 1_000_000 + micros + backlog_us + 1_000_000
            await client.set(rate_key(client_key(limit, name)), f"{whole_at_us} 1 0 0 ,")
            answer = await store.admit(name, limit)
            assert answer.allowed == (grants(limit, backlog_us + 500_000) == 1)


async def test_a_refused_client_is_not_asked_about_again(redis_server: RedisServer, redis_url: str) -> None:
    async with redis_rates(redis_url) as store:
        for _ in range(20):
            await store.admit("a", SLOW)
        assert store.counts.calls == 6
        assert store.counts.refused_locally == 14
        with redis_server.client() as client:
            assert client.info("commandstats")["cmdstat_evalsha"]["calls"] == 6


async def test_state_leaves_redis_when_it_says_nothing_more(redis_url: str) -> None:
    async with redis_rates(redis_url) as store, aioredis.from_url(redis_url) as client:
        answer = await store.admit("a", SLOW)
        left_ms = await client.pttl(rate_key(client_key(SLOW, "a")))
    assert 0 < left_ms <= answer.reset_s * 1_000 + 1


@pytest.mark.parametrize(
    "value", ["garbage", "", "1e300 0 0 0 ,", f"{10**300} 0 0 0 ,", "-5 0 0 0 ,", "1795000000000000"]
)
async def test_a_foreign_value_is_no_failure(redis_url: str, value: str) -> None:
    async with redis_rates(redis_url) as store, aioredis.from_url(redis_url) as client:
        await client.set(rate_key(client_key(SLOW, "a")), value)
        answer = await store.admit("a", SLOW)
        assert store.counts.errors == 0
        assert answer.allowed or answer.retry_after_s <= SLOW.interval_us / 1e6


async def test_a_value_of_another_type_is_overwritten(redis_url: str) -> None:
    async with redis_rates(redis_url) as store, aioredis.from_url(redis_url) as client:
        await client.rpush(rate_key(client_key(SLOW, "a")), "x")
        assert (await store.admit("a", SLOW)).remaining == 4
        assert (await store.admit("a", SLOW)).remaining == 3


async def test_leased_batches_spare_calls_and_never_admit_more(redis_url: str) -> None:
    leased = RateLimit("leased", 100, 360_000, 100, accuracy=Accuracy.LEASED)
    async with redis_rates(redis_url) as one, redis_rates(redis_url) as other:
        admitted = 0
        for _ in range(100):
            for store in (one, other):
                admitted += (await store.admit("a", leased)).allowed
        # Nothing comes back into the bucket during the test: leases cannot add to it, only run out.
        assert 0 < admitted <= 100
        assert one.counts.calls + other.counts.calls < 40
        assert not (await one.admit("a", leased)).allowed


# ---------------------------------------------------------------- Redis away


@pytest.mark.parametrize(
    ("mode", "allowed", "counter"),
    [
        (RateOnStoreLoss.LOCAL_SHARE, 2, "local_share"),
        (RateOnStoreLoss.OPEN, 20, "open"),
        (RateOnStoreLoss.CLOSED, 0, "closed"),
    ],
)
async def test_each_limit_does_what_it_says_while_redis_is_away(
    mode: RateOnStoreLoss, allowed: int, counter: str
) -> None:
    limit = RateLimit("p", 10, 36_000, 5, on_store_loss=mode)
    async with redis_rates("redis://127.0.0.1:1/0") as store:
        answers = [await store.admit("a", limit) for _ in range(20)]
    assert sum(answer.allowed for answer in answers) == allowed
    assert getattr(store.counts, counter) == 20
    assert all(answer.limit is limit for answer in answers)
    assert all(answer.retry_after_s > 0 for answer in answers if not answer.allowed)


async def test_redis_lost_and_found_without_restart(
    new_redis: Callable[..., RedisServer], caplog: pytest.LogCaptureFixture
) -> None:
    server = new_redis()
    caplog.set_level(logging.INFO)
    limit = RateLimit("p", 1_000, 3_600, 1_000, accuracy=Accuracy.EXACT)
    async with redis_rates(server.url, RedisRateSettings(retry_every_s=0.05)) as store:
        assert (await store.admit("a", limit)).allowed
        server.kill()
        for _ in range(10):
            assert (await store.admit("a", limit)).allowed
        assert away(store)
        assert store.counts.local_share == 10
        server.start()
        while away(store):
            assert (await store.admit("a", limit)).allowed
            await asyncio.sleep(0.01)
        answer = await store.admit("a", limit)
    assert answer.remaining == 997  # the new server knows of the two by which it was tried, and of this one
    told = [record.levelname for record in caplog.records if record.name == "veneer.redis.states"]
    assert told == ["WARNING", "INFO"]


async def test_while_redis_is_away_it_is_not_asked_for_each_request() -> None:
    async with redis_rates("redis://127.0.0.1:1/0", RedisRateSettings(retry_every_s=3_600)) as store:
        for _ in range(50):
            await store.admit("a", QUICK)
    assert store.counts.calls == 1
    assert store.counts.errors == 1


async def test_a_forgotten_script_is_sent_again(redis_server: RedisServer, redis_url: str) -> None:
    async with redis_rates(redis_url) as store:
        await store.admit("a", SLOW)
        redis_server.flush()
        assert (await store.admit("a", SLOW)).allowed
        assert store.counts.errors == 0
