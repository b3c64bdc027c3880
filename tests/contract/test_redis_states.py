"""A slow Redis, seen by all that use it: once it is known nobody waits for it, until a renewal is in time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from checks.relay import relay
from devstack.redis import RedisServer
from tests.support.entries import RULES, get, stored
from tests.support.shared_log import until
from veneer.loop.clock import SystemClock
from veneer.loop.tasks import Tasks
from veneer.ports import LeaseState, LockReleased
from veneer.redis.states import RedisState, RedisStates
from veneer.stores.assemble import Stores, redis_stores
from veneer.stores.fetch_locks import FreeLock


@asynccontextmanager
async def node(url: str) -> AsyncIterator[tuple[Stores, RedisStates]]:
    """The stores of a node that leads."""
    tasks = Tasks()
    stores = redis_stores(url, SystemClock(), tasks)
    await stores.start()
    await until(lambda: stores.log.lease_state() is LeaseState.HELD)
    assert stores.states is not None
    yield stores, stores.states
    await stores.aclose()
    await tasks.aclose()


async def miss(stores: Stores, key: str) -> tuple[bool, bool]:
    """Look it up and get the lock to fetch it; whether Redis was asked for it, and whether it gave the lock."""
    assert stores.shared is not None
    skipped = stores.shared.counts.skipped
    attempt = stores.locks.attempt(key, key)
    assert not await stores.store.lookup(key, get(), RULES, lambda: attempt)
    lock = await stores.locks.acquire(key, key, 10.0, attempt=attempt)
    assert not isinstance(lock, LockReleased)
    lock.release(stored=False)
    return stores.shared.counts.skipped == skipped, not isinstance(lock, FreeLock)


@pytest.mark.parametrize("delay_s", [0.2, 0.35])
async def test_a_miss_waits_for_a_slow_redis_once_and_then_not_before_it_is_in_time_again(
    delay_s: float, redis_server: RedisServer
) -> None:
    redis_server.flush()
    async with relay(redis_server.port) as between, node(between.url) as (stores, states):
        await stores.store.put("held", stored(stores.log.position), 600)
        assert await miss(stores, "calm") == (True, True)
        between.delay_s = delay_s
        assert await miss(stores, "first") == (True, False), "the lock is not waited for after that"
        assert states.state is RedisState.SLOW, "one look-up that was given up is enough"
        assert [await miss(stores, str(number)) for number in range(50)] == [(False, False)] * 50
        assert await stores.store.lookup("held", get(), RULES), "memory is asked as ever"
        between.mend()
        await until(lambda: states.answers_soon)
        assert await miss(stores, "after") == (True, True)
