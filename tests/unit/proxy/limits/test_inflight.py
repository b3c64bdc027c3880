from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest

from proxy.limits.inflight import InFlight, OverloadedError


def test_refuses_beyond_the_total_and_recovers() -> None:
    guard = InFlight(2)
    with ExitStack() as held:
        held.enter_context(guard.slot("a"))
        held.enter_context(guard.slot("b"))
        with pytest.raises(OverloadedError) as refusal, guard.slot("c"):
            pytest.fail("entered")
        assert refusal.value.whose is None
        assert guard.active == 2
    assert guard.active == 0
    assert guard.refused == 1
    with guard.slot("c"):
        assert guard.active == 1


def test_refuses_beyond_a_keys_own_bound() -> None:
    guard = InFlight(10, most_by_key=1)
    with guard.slot("a"), guard.slot("b"):
        with pytest.raises(OverloadedError, match="1 in flight for a") as refusal, guard.slot("a"):
            pytest.fail("entered")
        assert refusal.value.whose == "a"
    with guard.slot("a"):
        pass


def test_no_bound_still_counts() -> None:
    guard = InFlight(None)
    with guard.slot(), guard.slot():
        assert guard.active == 2


async def test_a_cancelled_block_gives_its_place_back() -> None:
    guard = InFlight(1)
    entered = asyncio.Event()

    async def hold() -> None:
        with guard.slot("a"):
            entered.set()
            await asyncio.Event().wait()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(hold())
        await entered.wait()
        task.cancel()
    assert guard.active == 0
    with guard.slot("a"):
        assert guard.active == 1
