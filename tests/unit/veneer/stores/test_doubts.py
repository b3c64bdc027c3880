"""What a node knows of writes in doubt, where Redis knows something else."""

from __future__ import annotations

from tests.support.clock import ManualClock
from veneer.core.invalidation import Invalidation
from veneer.stores.doubts import Doubts
from veneer.stores.events import HeldEvent, encode_event
from veneer.stores.holds import hold_name
from veneer.stores.table import SubjectTable

X = Invalidation(tags=("x",))
NAME = hold_name(encode_event(X))


def _doubts() -> tuple[Doubts, SubjectTable, ManualClock]:
    clock = ManualClock()
    table = SubjectTable()
    return Doubts(table, clock), table, clock


def test_a_new_epoch_is_told_what_it_does_not_know_and_what_it_knows_to_end_too_early() -> None:
    doubts, _, _ = _doubts()
    doubts.open(X, 60.0)
    assert doubts.unknown([]) == ((X, 60.0),)
    assert doubts.unknown([HeldEvent(NAME, 10.0, X)]) == ((X, 60.0),)
    assert doubts.unknown([HeldEvent(NAME, 59.9, X)]) == ()
    assert doubts.unknown([HeldEvent(NAME, 90.0, X)]) == ()


def test_what_redis_knows_to_end_later_ends_later() -> None:
    doubts, table, clock = _doubts()
    doubts.open(X, 10.0)
    doubts.placed(X, 10.0, 7)
    assert doubts.told([HeldEvent(NAME, 60.0, X)]) == 0
    clock.advance(30.0)
    assert doubts.prune(7) == 0
    table.holds.close(NAME, 7)
    assert NAME in table.holds, "it is known by which event it was opened"
    table.holds.close(NAME, 8)
    assert NAME not in table.holds
