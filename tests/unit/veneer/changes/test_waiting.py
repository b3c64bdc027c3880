"""Waiting until every node has applied what a source has told."""

from __future__ import annotations

import asyncio

import pytest

from veneer.changes.waiting import SourceWaiter, StillWaitingError
from veneer.loop.clock import SystemClock
from veneer.ports import SourceMoment
from veneer.stores.memory_log import MemoryLog


def _waiter() -> tuple[SourceWaiter, MemoryLog]:
    clock = SystemClock()
    log = MemoryLog(clock)
    return SourceWaiter(log.sources, log, clock), log


async def _told(log: MemoryLog, position: str, *, ago_ms: int = 0) -> None:
    claim = await log.sources.claim("db")
    await log.sources.claim("db", SourceMoment(claim.clock, claim.now_ms - ago_ms, position))


async def test_what_was_committed_up_to_a_position_is_waited_for() -> None:
    waiter, log = _waiter()
    await _told(log, "0/A")
    waiting = asyncio.get_running_loop().create_task(waiter.wait("db", "0/B", 10))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await _told(log, "0/C")
    assert (await waiting).position == "0/C"
    assert log.position.seq == 1


async def test_without_a_position_all_is_waited_for_that_was_committed_before() -> None:
    waiter, log = _waiter()
    await _told(log, "0/A")
    waiting = asyncio.get_running_loop().create_task(waiter.wait("db", "", 10))
    await asyncio.sleep(0)
    await _told(log, "0/B", ago_ms=5)
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await _told(log, "0/C")
    assert (await waiting).position == "0/C"


async def test_who_has_waited_for_long_enough_is_told_how_far_it_has_come() -> None:
    waiter, log = _waiter()
    with pytest.raises(StillWaitingError) as nobody:
        await waiter.wait("db", "", 0.01)
    assert nobody.value.told is None
    await _told(log, "0/A")
    with pytest.raises(StillWaitingError) as late:
        await waiter.wait("db", "0/B", 0.01)
    assert late.value.told == log.sources.told("db")


async def test_what_is_no_position_is_refused_at_once() -> None:
    waiter, _ = _waiter()
    with pytest.raises(ValueError, match="is no position of a source"):
        await waiter.wait("db", "yesterday", 10)
