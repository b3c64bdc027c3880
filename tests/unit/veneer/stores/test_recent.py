"""The latest events in full: what they spare, and that they stay few."""

from __future__ import annotations

from tests.support.entries import stored
from veneer.core.entry import Position
from veneer.core.invalidation import Invalidation
from veneer.stores.recent import RecentEvents

ENTRY = stored(Position("e", 0), "mine")


def noted(*events: Invalidation, kept: int = 10, subjects_kept: int = 10) -> RecentEvents:
    recent = RecentEvents(kept, subjects_kept)
    for seq, event in enumerate(events, 1):
        recent.note(seq, event)
    return recent


def test_an_entry_is_spared_by_what_does_not_name_it() -> None:
    recent = noted(Invalidation(tags=("other",)), Invalidation(tags=("mine",)), Invalidation(uri_prefixes=("/y",)))
    assert recent.spare(ENTRY, 0, 2)
    assert not recent.spare(ENTRY, 0, 3)
    assert recent.spare(ENTRY, 2, 4)


def test_everything_and_a_prefix_of_the_path_name_it() -> None:
    assert not noted(Invalidation(everything=True)).spare(ENTRY, 0, 2)
    assert not noted(Invalidation(uri_prefixes=("/x",))).spare(ENTRY, 0, 2)


def test_what_is_no_longer_known_spares_nothing() -> None:
    events = [Invalidation(tags=(f"other{number}",)) for number in range(4)]
    assert not noted(*events, kept=3).spare(ENTRY, 0, 5)
    assert noted(*events, kept=3).spare(ENTRY, 1, 5)
    recent = noted(*events)
    recent.clear()
    assert not recent.spare(ENTRY, 0, 2)


def test_events_that_name_much_do_not_take_more_room() -> None:
    wide = [Invalidation(tags=tuple(f"t{number}-{name}" for name in range(4))) for number in range(5)]
    recent = noted(*wide)
    assert len(recent) == 2
    assert recent.spare(ENTRY, 3, 6)
    recent.note(6, Invalidation(tags=tuple(f"u{name}" for name in range(11))))
    assert len(recent) == 0
