"""Who may fetch a key when several nodes miss it at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from checks.relay import relay
from devstack.redis import RedisServer
from tests.support.calling import calling
from tests.support.shared_log import node, until
from veneer.loop.clock import SystemClock
from veneer.loop.tasks import Tasks
from veneer.ports import FetchLock, LockReleased
from veneer.stores.fetch_locks import FreeLock, LocalLocks, RedisLocks
from veneer.stores.held_lock import LockSettings

SETTINGS = LockSettings(timeout_s=2, held_s=0.5, remembered_s=0.3)


@dataclass(slots=True)
class Party:
    """One node's locks."""

    locks: RedisLocks
    tasks: Tasks

    async def acquire(self, wait_s: float = 5, *, again: bool = False) -> FetchLock | LockReleased:
        return await self.locks.acquire("key", "group", wait_s, again=again)

    async def die(self) -> None:
        """As kill -9 does: a lock that is held is neither extended nor given back."""
        await self.tasks.aclose()


@asynccontextmanager
async def parties(url: str, count: int) -> AsyncIterator[list[Party]]:
    """Nodes on one Redis that hear each other's notices."""
    async with AsyncExitStack() as stack:
        found = []
        for number in range(count):
            one = await stack.enter_async_context(node(f"n{number}", url))
            caller = await stack.enter_async_context(calling(url))
            tasks = Tasks()
            stack.push_async_callback(tasks.aclose)
            locks = RedisLocks(caller, SystemClock(), one.log.announce_release, tasks, SETTINGS)
            one.log.listen(on_replaced=lambda _: None, on_reset=lambda: None, on_lock_released=locks.on_released)
            await one.leads()
            found.append(Party(locks, tasks))
        yield found


async def test_alone_it_is_always_your_turn() -> None:
    assert isinstance(await LocalLocks().acquire("key", "group", 0), FreeLock)


async def test_one_has_the_turn_and_the_others_look_when_its_fetch_is_stored(redis_url: str) -> None:
    async with parties(redis_url, 3) as (a, b, c):
        lock = await a.acquire()
        assert not isinstance(lock, LockReleased)
        async with asyncio.TaskGroup() as group:
            waiting = [group.create_task(party.acquire()) for party in (b, c)]
            await asyncio.sleep(0.1)
            assert not any(task.done() for task in waiting)
            lock.release(stored=True)
        assert [task.result() for task in waiting] == [LockReleased(), LockReleased()]


async def test_who_comes_just_after_a_fetch_looks_before_fetching_and_then_may(redis_url: str) -> None:
    async with parties(redis_url, 2) as (a, b):
        lock = await a.acquire()
        assert not isinstance(lock, LockReleased)
        lock.release(stored=True)
        await a.locks.settled()
        assert await b.acquire() == LockReleased()
        again = await b.acquire(again=True)
        assert not isinstance(again, LockReleased | FreeLock)


async def test_who_waited_and_who_comes_just_after_learn_by_what_the_response_varies(redis_url: str) -> None:
    async with parties(redis_url, 3) as (a, b, c):
        lock = await a.acquire()
        assert not isinstance(lock, LockReleased)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(b.acquire())
            await asyncio.sleep(0.1)
            lock.release(stored=True, varies=["accept", "accept-language"])
        assert waiting.result() == await c.acquire() == LockReleased(("accept", "accept-language"))


async def test_a_fetch_that_cannot_be_shared_releases_all_at_once(redis_url: str) -> None:
    async with parties(redis_url, 3) as (a, b, c):
        lock = await a.acquire()
        assert not isinstance(lock, LockReleased)
        async with asyncio.TaskGroup() as group:
            waiting = [group.create_task(party.acquire()) for party in (b, c)]
            await asyncio.sleep(0.1)
            lock.release(stored=False)
        assert all(isinstance(task.result(), FreeLock) for task in waiting)


async def test_a_leader_that_dies_is_followed_by_one_other_when_its_turn_expires(redis_url: str) -> None:
    async with parties(redis_url, 3) as (a, b, c):
        assert not isinstance(await a.acquire(), LockReleased)
        await a.die()
        taken: list[FetchLock] = []

        async def fetch(party: Party) -> None:
            lock = await party.acquire()
            if not isinstance(lock, LockReleased):
                taken.append(lock)
                await asyncio.sleep(0.05)
                lock.release(stored=True)

        await asyncio.gather(fetch(b), fetch(c))
        assert len(taken) == 1


async def test_a_leader_that_takes_long_keeps_its_turn(redis_url: str) -> None:
    async with parties(redis_url, 2) as (a, b):
        lock = await a.acquire()
        assert not isinstance(lock, LockReleased)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(b.acquire())
            await asyncio.sleep(3 * SETTINGS.held_s)
            assert not waiting.done()
            lock.release(stored=True)
        assert waiting.result() == LockReleased()


async def test_nobody_waits_longer_than_it_wants_to(redis_url: str) -> None:
    async with parties(redis_url, 2) as (a, b):
        assert not isinstance(await a.acquire(), LockReleased)
        assert isinstance(await b.acquire(0.05), FreeLock)


async def test_without_redis_it_is_everybodys_turn(redis_server: RedisServer, redis_url: str) -> None:
    async with relay(redis_server.port) as between, calling(between.url) as caller:

        def announce(_: str) -> None:
            raise AssertionError("nobody waits")

        brief = replace(SETTINGS, timeout_s=0.05)
        tasks = Tasks()
        locks = RedisLocks(caller, SystemClock(), announce, tasks, brief)
        held = await locks.acquire("key", "key", 1)
        between.hold()
        assert isinstance(await locks.acquire("other", "other", 1), FreeLock)
        assert not isinstance(held, LockReleased)
        held.release(stored=True)
        await until(lambda: not locks._waiting)
        await tasks.aclose()


async def test_a_turn_given_to_one_who_has_given_up_holds_nobody_up_for_long(
    redis_server: RedisServer, redis_url: str
) -> None:
    async with relay(redis_server.port) as between, calling(between.url) as far, calling(redis_url) as near:

        def announce(_: str) -> None:
            raise AssertionError("nobody waits")

        tasks = Tasks()
        patient = replace(SETTINGS, timeout_s=0.2, held_s=60)
        gone = RedisLocks(far, SystemClock(), announce, tasks, patient)
        here = RedisLocks(near, SystemClock(), announce, tasks, replace(patient, timeout_s=2))
        first = await gone.acquire("other", "other", 1)
        assert not isinstance(first, LockReleased)
        first.release(stored=False)
        await gone.settled()
        between.hold()
        assert isinstance(await gone.acquire("key", "key", 1), FreeLock)
        between.mend()
        # Now the question arrives at Redis, over a connection that nobody listens to any more.
        while not await near.ask(1, "KEYS", "veneer:lock:*"):
            pass
        held = await here.acquire("key", "key", 30)
        assert not isinstance(held, LockReleased | FreeLock)
        held.release(stored=False)
        await tasks.aclose()
