"""What a node's record says of its writes."""

from __future__ import annotations

import asyncio

from tests.support.clock import ManualClock
from veneer.stores.open_writes import OpenWrites


def _told(writes: OpenWrites, *, queued: bool = False) -> float:
    """What the next renewal tells, which arrives."""
    mark = writes.report(queued=queued)
    writes.told(mark)
    return mark.settles_s


def test_the_first_write_has_to_be_told_and_those_that_follow_soon_do_not() -> None:
    clock = ManualClock()
    writes = OpenWrites(clock)
    assert _told(writes) == 0.0
    writes.begin(60.0)
    assert not writes.is_known(60.0)
    assert _told(writes) == 60.0
    assert writes.is_known(60.0)
    writes.end()
    clock.advance(4.0)
    assert _told(writes) == 60.0
    assert writes.is_known(60.0)
    clock.advance(2.0)
    assert _told(writes) == 0.0
    assert not writes.is_known(60.0)


def test_it_is_unknown_from_the_moment_a_renewal_leaves_that_says_none() -> None:
    clock = ManualClock()
    writes = OpenWrites(clock)
    writes.begin(1.0)
    _told(writes)
    writes.end()
    clock.advance(6.0)
    writes.report(queued=False)
    assert not writes.is_known(1.0), "it may have been carried out, whatever becomes of its answer"


def test_a_write_that_settles_later_has_to_be_told_as_well() -> None:
    writes = OpenWrites(ManualClock())
    writes.begin(1.0)
    _told(writes)
    writes.begin(60.0)
    assert writes.is_known(1.0)
    assert not writes.is_known(60.0)
    writes.end()
    assert _told(writes) == 60.0, "one is open still, and nobody remembers which"


def test_what_waits_to_be_shared_is_under_way() -> None:
    clock = ManualClock()
    writes = OpenWrites(clock)
    writes.begin(1.0)
    writes.end()
    clock.advance(60.0)
    assert _told(writes, queued=True) == 1.0
    assert _told(writes, queued=False) == 0.0


async def test_who_waits_is_let_go_by_the_telling_that_covers_it() -> None:
    writes = OpenWrites(ManualClock())
    early = writes.report(queued=False)
    writes.begin(5.0)
    waiting = asyncio.gather(writes.known(5.0))
    await asyncio.sleep(0)
    writes.told(early)
    await asyncio.sleep(0)
    assert not waiting.done(), "that renewal had left before the write began"
    _told(writes)
    await waiting
