"""A look-up that finds nothing takes the fetch lock in the same call, and a store gives it back in its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import pytest

from checks.relay import relay
from devstack.redis import RedisServer
from tests.support.calling import calling
from tests.support.entries import RULES, get, stored
from tests.support.redis_fixtures import shared_url
from veneer.core.entry import Entry, Position
from veneer.core.invalidation import Invalidation
from veneer.loop.clock import SystemClock
from veneer.loop.tasks import Tasks
from veneer.ports import FetchLock, LockReleased
from veneer.redis.script import RedisCaller
from veneer.stores.fetch_locks import FreeLock, RedisLocks
from veneer.stores.held_lock import HeldLock, LockSettings, RedisLockAttempt
from veneer.stores.memory import MemoryStore
from veneer.stores.memory_log import MemoryLog
from veneer.stores.redis_access import RedisStoreSettings
from veneer.stores.redis_store import RedisStore
from veneer.stores.tiered import TieredStore

BORN = Position("e", 1)
BRIEF = LockSettings(timeout_s=5, held_s=5, remembered_s=5)


@dataclass(slots=True)
class Shop:
    """One node's store and locks; `said` are the notices of both, which every other node of the test hears."""

    store: RedisStore
    locks: RedisLocks
    said: list[str] = field(default_factory=list[str])

    async def look(self, key: str = "k", group: str = "g", **fields: str) -> tuple[list[Entry], RedisLockAttempt]:
        """What is found, and the lock that went along."""
        attempt = self.locks.attempt(key, group)
        return list(await self.store.lookup(key, get(**fields), RULES, lambda: attempt)), attempt

    async def acquire(
        self, attempt: RedisLockAttempt | None = None, group: str = "g", wait_s: float = 5
    ) -> FetchLock | LockReleased:
        return await self.locks.acquire("k", group, wait_s, attempt=attempt)

    async def held(self, group: str = "g") -> HeldLock:
        _, attempt = await self.look(group=group)
        lock = await self.acquire(attempt, group)
        assert isinstance(lock, HeldLock)
        return lock

    async def settled(self) -> None:
        await self.store.settled()
        await self.locks.settled()


@pytest.fixture(params=["redis", "cluster", "sentinel"])
async def shops(request: pytest.FixtureRequest) -> AsyncIterator[list[Shop]]:
    async with AsyncExitStack() as stack:
        callers = [await stack.enter_async_context(calling(shared_url(request.param, request))) for _ in range(2)]
        tasks = Tasks()
        stack.push_async_callback(tasks.aclose)
        yield opened(callers, tasks)


def opened(callers: list[RedisCaller], tasks: Tasks) -> list[Shop]:
    found: list[Shop] = []

    def release(notice: str) -> None:
        for shop in found:
            shop.said.append(notice)
            shop.locks.on_released(notice)

    for caller in callers:
        store = RedisStore(caller, SystemClock(), lambda: "e", RedisStoreSettings(timeout_s=5))
        found.append(Shop(store, RedisLocks(caller, SystemClock(), release, tasks, BRIEF)))
    return found


@asynccontextmanager
async def counting(server: RedisServer) -> AsyncIterator[dict[str, int]]:
    """How often scripts were run within the block."""
    counted: dict[str, int] = {}
    with server.client() as client:
        client.config_resetstat()
        yield counted
        stats = client.info("commandstats")
        counted["scripts"] = sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("evalsha", "eval"))


async def test_a_miss_is_one_call_before_the_fetch_and_one_after_it(redis_server: RedisServer, redis_url: str) -> None:
    async with calling(redis_url) as caller:
        tasks = Tasks()
        (shop,) = opened([caller], tasks)

        async def miss(key: str) -> None:
            found, attempt = await shop.look(key)
            lock = await shop.locks.acquire(key, "g", 5, attempt=attempt)
            assert isinstance(lock, HeldLock)
            await shop.store.put(key, stored(BORN), 60, lock)
            lock.release(stored=True)
            await shop.settled()
            assert found == []

        await miss("warm")
        async with counting(redis_server) as counted:
            await miss("k")
        assert counted == {"scripts": 2}
        await tasks.aclose()


async def test_what_is_found_leaves_the_lock_alone(shops: list[Shop]) -> None:
    a, b = shops
    await a.store.put("k", stored(BORN), 60)
    await a.settled()
    found, attempt = await b.look()
    assert (len(found), attempt.left_ms) == (1, None)
    assert isinstance(await a.acquire(), HeldLock)


async def test_only_one_gets_it_and_the_other_waits_for_what_is_stored(shops: list[Shop]) -> None:
    a, b = shops
    lock = await a.held()
    found, attempt = await b.look()
    assert found == []
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(b.acquire(attempt))
        await a.store.put("k", stored(BORN, vary=(("accept", "x"),)), 60, lock)
        lock.release(stored=True)
    assert waiting.result() == LockReleased(("accept",))
    assert len(await b.store.lookup("k", get(accept="x"), RULES)) == 1
    assert len(a.said) == 1, "given back once"


async def test_a_store_under_another_key_gives_the_lock_back_after_it(shops: list[Shop]) -> None:
    a, b = shops
    lock = await a.held()
    _, attempt = await b.look()
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(b.acquire(attempt))
        await a.store.put("wider", stored(BORN), 60, lock)
    assert waiting.result() == LockReleased()
    assert len(await b.store.lookup("wider", get(), RULES)) == 1


async def test_what_was_stored_just_now_and_is_gone_is_fetched_again(shops: list[Shop]) -> None:
    a, b = shops
    lock = await a.held()
    await a.store.put("k", stored(BORN), 60, lock)
    await a.store.forget("k", stored(BORN))
    _, attempt = await b.look()
    assert attempt.left_ms == 0, "the look-up has seen that nothing is there"


async def test_a_lock_that_is_not_needed_is_free_again(shops: list[Shop]) -> None:
    a, b = shops
    _, attempt = await a.look()
    attempt.drop()
    attempt.drop()
    await a.settled()
    assert isinstance(await b.acquire(), HeldLock)


async def test_a_lock_that_is_not_needed_is_taken_by_one_of_those_who_wait(shops: list[Shop]) -> None:
    a, b = shops
    _, unneeded = await a.look()
    _, second = await b.look()
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(b.acquire(second))
        await asyncio.sleep(0)
        unneeded.drop()
    assert waiting.result() == LockReleased(), "and looks again, rather than all fetch"
    assert isinstance(await b.acquire(), HeldLock)
    assert isinstance(await a.acquire(wait_s=0.05), FreeLock)


async def test_a_lock_dropped_before_the_answer_came_is_free_again(shops: list[Shop]) -> None:
    a, b = shops
    attempt = a.locks.attempt("k", "g")

    async def look() -> None:
        await a.store.lookup("k", get(), RULES, lambda: attempt)

    async with asyncio.TaskGroup() as group:
        looking = group.create_task(look())
        await asyncio.sleep(0)
        attempt.drop()
        looking.cancel()
    lock = await b.acquire()
    assert isinstance(lock, HeldLock | LockReleased), "at once, or after another look"


async def test_a_lock_that_is_not_needed_goes_to_who_waits_for_it_in_the_same_process(shops: list[Shop]) -> None:
    a, b = shops
    _, first = await a.look()
    _, idle = await a.look()
    _, second = await a.look()
    assert (first.left_ms, bool(idle.left_ms), bool(second.left_ms)) == (0, True, True)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(a.acquire(second))
        await asyncio.sleep(0)
        first.drop()
    lock = waiting.result()
    assert isinstance(lock, HeldLock)
    idle.drop()
    assert isinstance(await b.acquire(wait_s=0.05), FreeLock), "it is held all the time"
    lock.release(stored=False)
    await a.settled()
    assert isinstance(await b.acquire(), HeldLock)


async def test_the_lock_of_another_group_is_given_back(shops: list[Shop]) -> None:
    a, b = shops
    _, attempt = await a.look(group="all")
    assert isinstance(await a.acquire(attempt, "variant"), HeldLock)
    await a.settled()
    assert isinstance(await b.acquire(group="all"), HeldLock)


async def test_where_only_other_variants_are_stored_they_are_found_and_the_lock_is_taken(shops: list[Shop]) -> None:
    a, _ = shops
    await a.store.put("k", stored(BORN, vary=(("accept", "x"),)), 60)
    await a.settled()
    found, attempt = await a.look(accept="y")
    assert ([entry.vary for entry in found], attempt.left_ms) == ([(("accept", "x"),)], 0)


async def test_where_it_cannot_be_told_what_fits_no_lock_is_taken(shops: list[Shop]) -> None:
    a, b = shops
    await a.store.put("k", stored(BORN, vary=(("x-unheard-of", "x"),)), 60)
    await a.settled()
    found, attempt = await b.look()
    assert (len(found), attempt.left_ms) == (1, None)


async def test_what_is_known_to_be_dead_counts_as_not_there(shops: list[Shop]) -> None:
    a, b = shops
    await a.store.put("k", stored(Position("e", 3)), 60)
    await a.settled()
    for dead_until, there in ((2, True), (3, False)):
        attempt = b.locks.attempt("k", "g")
        found = await b.store.lookup("k", get(), RULES, lambda attempt=attempt: attempt, dead_until)  # type: ignore[misc]
        assert (len(found), attempt.left_ms) == ((1, None) if there else (0, 0))


async def test_a_miss_after_an_invalidation_is_one_call_as_well(redis_url: str) -> None:
    log = MemoryLog(SystemClock())
    async with calling(redis_url) as caller:
        tasks = Tasks()
        locks = RedisLocks(caller, SystemClock(), lambda _: None, tasks, BRIEF)
        shared = RedisStore(caller, SystemClock(), lambda: log.position.epoch, RedisStoreSettings(timeout_s=5))
        store = TieredStore(MemoryStore(), shared, log)
        await store.put("k", stored(log.position, "x"), 60)
        await log.append(Invalidation(tags=("x",)), strict=True)
        attempt = locks.attempt("k", "g")
        assert await store.lookup("k", get(), RULES, lambda: attempt) == store.memory.get_local("k")
        assert attempt.left_ms == 0
        attempt.drop()
        await locks.settled()
        await tasks.aclose()


async def test_nobody_waits_for_a_store_and_closing_waits_for_all(redis_server: RedisServer, redis_url: str) -> None:
    async with relay(redis_server.port) as between, calling(between.url) as far, calling(redis_url) as near:
        tasks = Tasks()
        (here,), (other,) = opened([far], tasks), opened([near], tasks)
        await here.store.put("first", stored(BORN), 60)
        await here.settled()
        between.hold()
        for key in ("a", "b"):
            await here.store.put(key, stored(BORN), 60)
        assert not await other.store.lookup("a", get(), RULES)
        between.mend()
        await here.store.aclose()
        for key in ("a", "b"):
            assert len(await other.store.lookup(key, get(), RULES)) == 1
        await tasks.aclose()


async def test_what_is_on_its_way_is_bounded(redis_server: RedisServer) -> None:
    settings = RedisStoreSettings(timeout_s=5, max_storing=2)
    async with relay(redis_server.port) as between, calling(between.url) as caller:
        store = RedisStore(caller, SystemClock(), lambda: "e", settings)
        between.hold()
        for number in range(5):
            await store.put(str(number), stored(BORN), 60)
        assert store.counts.skipped == 3
        between.mend()
        await store.settled()
        assert store.counts.stored == 2


async def test_a_later_store_of_a_key_and_a_forgetting_wait_for_the_earlier(shops: list[Shop]) -> None:
    a, b = shops
    for number in range(20):
        await a.store.put("k", stored(BORN, body=b"%d" % number), 60)
    assert [entry.body for entry in await a.store.lookup("k", get(), RULES)] == [b"19"]
    await a.store.put("k", stored(BORN), 60)
    await a.store.forget("k", stored(BORN))
    assert not await b.store.lookup("k", get(), RULES)
