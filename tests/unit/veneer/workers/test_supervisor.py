"""The supervisor over processes that do not behave."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from veneer.core.listen_address import Address
from veneer.loop.clock import SystemClock
from veneer.loop.tasks import Tasks
from veneer.policy.load import default_policy
from veneer.policy.watch import PolicySource, ReloadOutcome
from veneer.workers.bindings import Binding
from veneer.workers.counter_totals import CounterTotals
from veneer.workers.supervisor import Supervisor, SupervisorSettings

Reload = Callable[[], Awaitable[ReloadOutcome]]


def supervisor(code: str, directory: Path, tasks: Tasks, reload: Reload | None = None) -> Supervisor:
    argv = (sys.executable, "-S", "-c", code)
    reload = reload or PolicySource(default_policy()).reload
    orders = SupervisorSettings(argv, 2, [Binding(Address("127.0.0.1", 0))], directory, drain_s=0.1, reload=reload)
    return Supervisor(orders, CounterTotals(), SystemClock(), tasks)


async def test_workers_that_cannot_start_end_everything(tmp_path: Path) -> None:
    tasks = Tasks()
    found = supervisor("raise SystemExit(2)", tmp_path, tasks)
    assert [one.port > 0 for one in found.listen() if isinstance(one, Address)] == [True]
    assert await found.run() == 1
    assert found.sockets() == {}
    await tasks.aclose()


async def test_a_stop_ends_workers_that_never_got_to_serve(tmp_path: Path) -> None:
    tasks = Tasks()
    found = supervisor("import time; time.sleep(60)", tmp_path, tasks)
    found.listen()
    running = tasks.start(found.run(), "run")
    async with asyncio.timeout(20):
        for _ in range(1_000):
            if len(found.sockets()) == 2:
                break
            await asyncio.sleep(0.01)
        found.stop()
        found.stop()
        assert await running == 0
    assert found.stopping
    await tasks.aclose()


async def test_its_own_stop_word_is_heard_by_workers_that_are_just_being_started(tmp_path: Path) -> None:
    tasks = Tasks()
    found = supervisor("import time; time.sleep(60)", tmp_path, tasks)
    found.listen()
    running = tasks.start(found.run(), "run")
    await asyncio.sleep(0)
    found.stop()
    async with asyncio.timeout(20):
        assert await running == 0
    await tasks.aclose()


async def test_twenty_calls_for_a_roll_are_one_and_one_more_for_those_that_came_meanwhile(tmp_path: Path) -> None:
    tasks, go = Tasks(), asyncio.Event()
    reloads: asyncio.Queue[None] = asyncio.Queue()

    async def reload() -> ReloadOutcome:
        reloads.put_nowait(None)
        await go.wait()
        return ReloadOutcome(default_policy(), changed=False)

    found = supervisor("", tmp_path, tasks, reload)
    for _ in range(20):
        found.roll()
    await reloads.get()
    for _ in range(20):
        found.roll()
    go.set()
    await reloads.get()
    for _ in range(100):
        await asyncio.sleep(0)
    assert reloads.empty()
    found.roll()
    await reloads.get()
    await tasks.aclose()
