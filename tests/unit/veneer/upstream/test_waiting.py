"""Who waits for a place at the backend, and who is told to come back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from tests.support.origin import OriginConnection
from tests.support.shared_log import until
from tests.unit.veneer.upstream.conftest import Bench, pool_for, request
from veneer.core.overload import INTERVAL_S, OVERLOADED_WAIT_S, TARGET_S, Claim, Priority
from veneer.policy.model_concurrency import ConcurrencyRules
from veneer.ports import Demand, UpstreamError, UpstreamFailure
from veneer.upstream.waiting import DROPPED_AT_ONCE

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
NORMAL = Claim("a")
SLOW = Claim("slow")
CRITICAL = Claim("critical", Priority.CRITICAL)
BACKGROUND = Claim("background", Priority.BACKGROUND)


class Held:
    """A backend that answers when it is told to, and what has reached it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._told = asyncio.Semaphore(0)

    async def script(self, connection: OriginConnection) -> None:
        while True:
            head = await connection.request_head()
            self.asked.append(head.split(b" ", 2)[1].decode())
            await self._told.acquire()
            await connection.send(HELLO)

    def answer(self, count: int = 1) -> None:
        for _ in range(count):
            self._told.release()


class Queue:
    """Requests at a backend with few connections, by their names."""

    def __init__(self, bench: Bench, held: Held) -> None:
        self.bench = bench
        self.held = held
        self.ends: dict[str, UpstreamError | None] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def ask(self, name: str, claim: Claim = NORMAL, demand: Demand | None = None) -> None:
        """Begin, and let it get as far as it gets."""
        demand = demand or Demand()
        demand.claim = claim

        async def ends() -> None:
            try:
                response = await self.bench.pool.exchange(request("GET", "/" + name), None, demand=demand)
                await response.aclose()
                self.ends[name] = None
            except UpstreamError as error:
                self.ends[name] = error

        waiting = self.bench.pool._waiting
        before = waiting.count, len(self.ends)
        self._tasks.append(asyncio.get_running_loop().create_task(ends()))
        # Sent, waiting, or refused; who waits may have taken another's place.
        await until(lambda: "/" + name in self.held.asked or before != (waiting.count, len(self.ends)))

    async def answered(self) -> None:
        """The backend answers one."""
        self.held.answer()
        under_way = [task for task in self._tasks if not task.done()]
        assert (await asyncio.wait(under_way, timeout=5, return_when=asyncio.FIRST_COMPLETED))[0]
        await asyncio.sleep(0.01)

    async def stand(self) -> None:
        """Have the queue stand, as who asks next finds out."""
        self.bench.clock.advance(TARGET_S + 0.01)
        await self.ask("first-sign")
        self.bench.clock.advance(INTERVAL_S + 0.01)

    async def end(self) -> None:
        self.held.answer(1_000)
        async with asyncio.timeout(10):
            await asyncio.gather(*self._tasks)

    def refused(self, name: str) -> bool:
        end = self.ends.get(name)
        return end is not None and end.failure is UpstreamFailure.OVERLOADED


@contextlib.asynccontextmanager
async def queue_for(most: int = 1, **rules: Any) -> AsyncIterator[Queue]:
    held = Held()
    async with pool_for(held.script, max_connections=most, concurrency=ConcurrencyRules(**rules)) as bench:
        queue = Queue(bench, held)
        yield queue
        await queue.end()


async def reached(queue: Queue, names: Sequence[str]) -> None:
    """The backend gets these, in this order, as it answers one after the other."""
    before = len(queue.held.asked)
    for _ in names:
        await queue.answered()
    assert queue.held.asked[before:] == ["/" + name for name in names]


async def test_a_burst_is_served_in_order() -> None:
    async with queue_for() as queue:
        for name in ("there", "one", "two", "three"):
            await queue.ask(name)
        await reached(queue, ["one", "two", "three"])


async def test_once_the_queue_stands_the_old_are_refused_and_the_newest_goes_first() -> None:
    async with queue_for(2) as queue:
        for name in ("there", "there-too", "one", "two"):
            await queue.ask(name)
        await queue.stand()
        await asyncio.gather(queue.ask("new"), queue.ask("newer"))
        assert [queue.refused(name) for name in ("one", "two", "first-sign")] == [True] * 3
        await reached(queue, ["newer"])


async def test_once_the_queue_stands_nobody_waits_for_long() -> None:
    async with queue_for() as queue:
        for name in ("there", "one"):
            await queue.ask(name)
        await queue.stand()
        await queue.ask("new")
        assert "new" not in queue.ends
        await asyncio.sleep(2 * OVERLOADED_WAIT_S)
        assert queue.refused("new")
        assert queue.held.asked == ["/there"]


async def test_once_the_queue_stands_the_oldest_makes_room() -> None:
    async with queue_for() as queue:
        for name in ("there", "one"):
            await queue.ask(name)
        await queue.stand()
        await queue.ask("new")
        await queue.ask("newer")
        assert queue.refused("new")
        await reached(queue, ["newer"])


async def test_when_it_begins_to_stand_many_are_refused_a_few_at_a_time() -> None:
    """Each refusal takes time of the process, which others wait for."""
    async with queue_for() as queue:
        await queue.ask("there")
        old = [f"old-{number}" for number in range(3 * DROPPED_AT_ONCE)]
        for name in old:
            await queue.ask(name)
        waiting = queue.bench.pool._waiting
        queue.bench.clock.advance(TARGET_S + 0.01)
        waiting.next(queue.bench.clock.monotonic(), is_used=True)
        queue.bench.clock.advance(INTERVAL_S + 0.01)
        waiting.next(queue.bench.clock.monotonic(), is_used=True)
        assert waiting.count == 2 * DROPPED_AT_ONCE
        await until(lambda: waiting.count == 0)
        await until(lambda: all(map(queue.refused, old)))


async def test_it_stands_no_more_once_hardly_anybody_is_refused() -> None:
    async with queue_for() as queue:
        for name in ("there", "one"):
            await queue.ask(name)
        await queue.stand()
        await queue.ask("new")
        queue.held.answer(2)
        await asyncio.sleep(0.01)
        queue.bench.clock.advance(5)
        for name in ("first", "second", "third"):
            await queue.ask(name)
        await reached(queue, ["second", "third"])


async def test_the_more_urgent_goes_first() -> None:
    async with queue_for() as queue:
        await queue.ask("there")
        await queue.ask("refresh", BACKGROUND)
        await queue.ask("normal")
        await queue.ask("critical", CRITICAL)
        await reached(queue, ["critical", "normal", "refresh"])


async def test_the_background_does_not_queue_behind_clients() -> None:
    async with queue_for() as queue:
        await queue.ask("there")
        await queue.ask("normal")
        await queue.ask("refresh", BACKGROUND)
        assert queue.refused("refresh")


async def test_a_full_queue_makes_room_for_the_more_urgent_alone() -> None:
    async with queue_for(max_waiting=2) as queue:
        await queue.ask("there")
        await queue.ask("refresh", BACKGROUND)
        await queue.ask("normal")
        await queue.ask("another")
        assert queue.refused("refresh")
        await queue.ask("third")
        assert queue.refused("third")
        await queue.ask("critical", CRITICAL)
        assert queue.refused("normal")
        await reached(queue, ["critical", "another"])


async def test_who_may_not_wait_is_refused_at_once() -> None:
    async with queue_for() as queue:
        await queue.ask("there")
        await queue.ask("impatient", Claim("a", waits=False))
        assert queue.refused("impatient")


async def test_a_route_has_its_share_once_others_come_and_all_before() -> None:
    async with queue_for(4, route_share=0.5) as queue:
        for number in range(8):
            await queue.ask(f"slow-{number}", SLOW)
        assert len(queue.held.asked) == 4, "nobody else is there"
        await queue.ask("fast")
        await queue.ask("fast-too")
        await reached(queue, ["fast", "fast-too", "slow-4", "slow-5"])
        await queue.answered()
        assert queue.bench.pool.gate.in_use == 3, "one of them is kept for others"
        await queue.ask("fast-at-once")
        assert queue.held.asked[-1] == "/fast-at-once", "it need not wait behind those of a route that has its share"


async def test_a_share_is_kept_for_the_critical_once_there_was_one() -> None:
    async with queue_for(4, critical_share=0.25) as queue:
        await queue.ask("critical-0", CRITICAL)
        await queue.answered()
        for number in range(4):
            await queue.ask(f"normal-{number}")
        assert queue.held.asked == ["/critical-0", "/normal-0", "/normal-1", "/normal-2"]
        assert queue.bench.pool.lease_now(queue.bench.clock.monotonic(), NORMAL) is None
        await queue.ask("critical-1", CRITICAL)
        assert queue.held.asked[-1] == "/critical-1"


async def test_what_is_slow_by_nature_gets_its_places_though_nobody_else_comes() -> None:
    """Sixty long polls at once: nothing is answered, and nothing but time tells that this is no queue."""
    async with queue_for(100) as queue:
        for number in range(60):
            await queue.ask(f"poll-{number}")
        assert 0 < len(queue.held.asked) < 60

        def all_there() -> bool:
            queue.bench.clock.advance(0.1)
            return len(queue.held.asked) == 60

        await until(all_there)
        assert not any(queue.refused(f"poll-{number}") for number in range(60))


async def test_who_left_is_never_sent() -> None:
    async with queue_for() as queue:
        gone = Demand()
        await queue.ask("there")
        await queue.ask("gone", demand=gone)
        await queue.ask("stays")
        gone.asker_left()
        await reached(queue, ["stays"])
        end = queue.ends["gone"]
        assert end is not None
        assert end.failure is UpstreamFailure.ABANDONED


async def test_the_time_to_come_back_is_computed() -> None:
    async with queue_for(max_waiting=4) as queue:
        now_s = queue.bench.clock.monotonic()
        for _ in range(2):
            queue.bench.pool.gate.pace.count(now_s)
        for number in range(6):
            await queue.ask(str(number))
        end = queue.ends["5"]
        assert end is not None
        assert end.retry_s == pytest.approx(3)  # four wait, and one was refused, at two per second


async def test_a_fast_lease_obeys_the_same_limit() -> None:
    async with queue_for(3, critical_share=0.0) as queue:
        pool, now_s = queue.bench.pool, queue.bench.clock.monotonic()
        for name in ("one", "two"):
            await queue.ask(name)
        await queue.answered()
        await asyncio.sleep(0.01)
        assert pool.gate.in_use == 1
        lease = pool.lease_now(now_s, NORMAL)
        assert lease is not None
        assert pool.gate.in_use == 2
        lease.give_back()
        assert pool.gate.in_use == 1
        await queue.ask("three")
        await queue.ask("four")
        await queue.ask("waits")
        queue.held.answer(1)
        await asyncio.sleep(0.01)
        assert pool.gate.in_use == 3
        assert pool.lease_now(now_s, NORMAL) is None


async def test_a_cancelled_request_leaves_its_place_to_the_next() -> None:
    async with queue_for() as queue:
        await queue.ask("there")
        waiting = asyncio.get_running_loop().create_task(queue.bench.pool.exchange(request(), None))
        await asyncio.sleep(0.01)
        await queue.ask("next")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await reached(queue, ["next"])
