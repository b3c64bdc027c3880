"""Samples of the shared store: right when all is read, bounded when it is not, nothing when Redis is away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest

from devstack.process import free_port
from devstack.redis import RedisServer
from tests.support.calling import calling
from tests.support.entries import stored
from tests.support.redis_fixtures import shared_url
from veneer.admin.purge import dry_run
from veneer.core.entry import Position
from veneer.core.invalidation import Invalidation
from veneer.loop.clock import SystemClock
from veneer.redis.connect import connect, disconnect, parse_redis_url
from veneer.redis.keys import LogKeys
from veneer.stores.redis_access import RedisStoreSettings
from veneer.stores.redis_store import RedisStore
from veneer.stores.sampler import SampleSettings, StoreSampler

PATIENT = SampleSettings(within_s=30.0)
MANY, FEW = 120, 40


@asynccontextmanager
async def filled(url: str, settings: SampleSettings = PATIENT) -> AsyncIterator[StoreSampler]:
    """A sampler on a store in which MANY keys have the tag "many" and FEW others have two responses with "few"."""
    client = connect(parse_redis_url(url))
    async with calling(url) as caller:
        store = RedisStore(caller, SystemClock(), lambda: "e", RedisStoreSettings(timeout_s=5))
        for number in range(MANY):
            await store.put(f"m{number}", stored(Position("e", 1), "many"), 60)
        for number in range(FEW):
            for language in ("de", "en"):
                entry = stored(Position("e", 1), "few", vary=(("accept-language", language),))
                await store.put(f"f{number}", entry, 60)
        await store.settled()
    yield StoreSampler(client, lambda: "e", settings)
    await disconnect(client)


@pytest.fixture(params=["redis", "cluster", "sentinel"])
def url(request: pytest.FixtureRequest) -> str:
    return shared_url(request.param, request)


async def reached(sampler: StoreSampler, tags: Iterable[str]) -> tuple[int, int, bool]:
    """The estimate for an event: entries, keys read, whether it is exact."""
    answer = (await dry_run(Invalidation(tags=tuple(tags)), (), await sampler.sample())).shared_estimate
    assert answer is not None
    return answer.entries, answer.keys_read, answer.exact


async def test_a_store_that_is_read_as_a_whole_is_counted_exactly(url: str) -> None:
    async with filled(url) as sampler:
        assert await reached(sampler, ["many"]) == (MANY, MANY + FEW, True)
        assert await reached(sampler, ["few"]) == (2 * FEW, MANY + FEW, True)
        assert await reached(sampler, ["none"]) == (0, MANY + FEW, True)


async def test_part_of_a_store_stands_for_all_of_it(url: str) -> None:
    async with filled(url, SampleSettings(keys_read=10, within_s=30.0)) as sampler:
        entries, read, exact = await reached(sampler, ["many", "few"])
        assert 10 <= read <= 3 * 10
        assert not exact
        assert MANY + FEW <= entries <= 2 * (MANY + FEW)


async def test_calls_are_bounded_whatever_else_lies_in_redis(redis_server: RedisServer, redis_url: str) -> None:
    settings = SampleSettings(scans=3, at_once=20, keys_read=5, within_s=30.0)
    async with filled(redis_url, settings) as sampler:
        with redis_server.client() as client:
            for number in range(500):
                client.set(f"other{number}", "x")
            client.config_resetstat()
            found = await sampler.sample()
            calls = {name: stat["calls"] for name, stat in client.info("commandstats").items()}
        assert found is not None
        (sample,) = found
        assert (calls["cmdstat_scan"], sample.keys, sample.complete) == (3, MANY + FEW + 500, False)
        assert len(sample.read) <= 5
        assert "cmdstat_keys" not in calls


async def test_responses_of_another_epoch_are_dead_and_not_counted(redis_url: str) -> None:
    async with filled(redis_url) as sampler:
        later = StoreSampler(sampler._redis, lambda: "f", PATIENT)
        assert await reached(later, ["many"]) == (0, 0, True)


async def test_a_redis_that_is_away_is_no_sample() -> None:
    client = connect(parse_redis_url(f"redis://127.0.0.1:{free_port()}"))
    assert await StoreSampler(client, lambda: "e", PATIENT).sample() is None
    await disconnect(client)


async def test_what_lies_under_one_key(url: str) -> None:
    async with filled(url) as sampler:
        entries = await sampler.under("f1")
        assert entries is not None
        assert sorted(entry.vary for entry in entries) == [(("accept-language", name),) for name in ("de", "en")]
        assert await sampler.under("nothing") == []
    bounded = SampleSettings(looked_at_bytes=10, within_s=30.0)
    async with filled(url, bounded) as sampler:
        assert await sampler.under("f1") == [], "none of it is small enough"


async def test_nodes_with_a_lease_are_told_with_what_is_left_of_it(url: str) -> None:
    client, state = connect(parse_redis_url(url)), LogKeys().state
    far_ms, past_ms = 4_102_444_800_000, 1_000  # the year 2100, and long ago
    await client.hset(state, mapping={"n:gone": past_ms, "n:here": far_ms, "seq": 1})
    found = await StoreSampler(client, lambda: "e", PATIENT).nodes()
    await disconnect(client)
    assert found is not None
    assert [(name, 0 < left_s < far_ms / 1000) for name, left_s in found] == [("here", True)]


async def test_who_is_away_tells_neither() -> None:
    client = connect(parse_redis_url(f"redis://127.0.0.1:{free_port()}"))
    sampler = StoreSampler(client, lambda: "e", SampleSettings(within_s=1.0))
    assert (await sampler.under("a"), await sampler.nodes()) == (None, None)
    await disconnect(client)
