"""The log of a process that is alone."""

from __future__ import annotations

from tests.support.clock import ManualClock
from tests.support.entries import stored
from veneer.core.invalidation import Invalidation, Validity
from veneer.stores.holds import MAX_HELD
from veneer.stores.memory_log import MemoryLog


async def test_what_is_held_is_bounded_and_nothing_is_left_out() -> None:
    log = MemoryLog(ManualClock())
    for number in range(MAX_HELD + 20):
        await log.append(Invalidation(tags=(f"t{number}",)), strict=True, settles_s=60.0)
    assert len(log._table.holds) == len(log._timers) == MAX_HELD + 1
    assert log.validity(stored(log.position, "none of these")) is Validity.DEAD, "the last one holds everything"
    await log.aclose()
