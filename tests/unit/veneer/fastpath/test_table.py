"""The table finds what a dict finds, however few its slots are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veneer.core.entry import Entry, Position
from veneer.core.fields import Fields
from veneer.fastpath.fingerprint import Fingerprint, fingerprint_of
from veneer.fastpath.hot_entries import HeadTemplate, HotEntry, RouteFacts, VariantReply
from veneer.fastpath.table import MAX_SLOTS, MIN_SLOTS, HotEntryTable, slots_for
from veneer.observe.repeats import RecordTemplate

PLACES = [b"site\n/%d" % number for number in range(12)]
BODY, OWN = b"body", b"ETag: 1"


def hot_entry_at(place: bytes) -> HotEntry:
    return hot_entry_of(fingerprint_of(place))


def hot_entry_of(fingerprint: Fingerprint) -> HotEntry:
    entry = Entry(200, "OK", Fields(), BODY, 0.0, 0.0, "key", Position("epoch", 0))
    route_facts = RouteFacts("route", None, b"", None, lambda _: None)
    template = HeadTemplate(
        ("GET", None, None, None), b"", b"", b"", b"", RecordTemplate("GET", "route", 200), route_facts
    )
    return HotEntry(
        fingerprint, entry, VariantReply(template, OWN, BODY, 0, None), aged_from=0.0, fresh_until=60.0, for_all=True
    )


STEPS = st.lists(st.tuples(st.sampled_from(["put", "get", "discard", "another", "clear"]), st.sampled_from(PLACES)))


@given(st.integers(1, 64), STEPS)
def test_it_is_a_dict_to_whoever_asks(slots: int, steps: list[tuple[str, bytes]]) -> None:
    table, known, gone = HotEntryTable(slots), dict[bytes, HotEntry](), list[HotEntry]()
    for step, place in steps:
        if step == "put":
            if place in known:
                gone.append(known[place])
            known[place] = hot_entry_at(place)
            table.put(known[place])
        elif step == "discard" and place in known:
            gone.append(known.pop(place))
            table.discard(gone[-1])
        elif step == "another":
            table.discard(hot_entry_at(place))
        elif step == "clear":
            table.clear()
            gone.extend(known.values())
            known.clear()
        assert table.get(*fingerprint_of(place)) is known.get(place)
        assert len(table) == len(known)
    assert [table.get(*fingerprint_of(place)) for place in PLACES] == [known.get(place) for place in PLACES]
    assert [hot_entry.next_in_chain for hot_entry in gone] == [None] * len(gone), (
        "one that is gone keeps another one alive"
    )


@pytest.mark.parametrize("others", [(7, 2), (9, 1), (9, 2)])
def test_half_of_the_marks_is_not_enough(others: Fingerprint) -> None:
    table, one = HotEntryTable(1), hot_entry_of((7, 1))
    table.put(one)
    assert table.get(*others) is None
    other = hot_entry_of(others)
    table.put(other)
    assert (table.get(7, 1), table.get(*others), len(table)) == (one, other, 2)
    table.discard(one)
    assert (table.get(7, 1), table.get(*others), len(table)) == (None, other, 1)


def test_many_are_found_while_slots_are_taken_into_use() -> None:
    table, hot_entries = HotEntryTable(MIN_SLOTS), [hot_entry_at(b"site\n/%d" % number) for number in range(2_000)]
    for count, hot_entry in enumerate(hot_entries, 1):
        table.put(hot_entry)
        earlier = hot_entries[count * 7 // 8]
        assert table.get(earlier.hash_a, earlier.hash_b) is earlier
    assert all(table.get(hot_entry.hash_a, hot_entry.hash_b) is hot_entry for hot_entry in hot_entries)
    assert sum(hot_entry.next_in_chain is not None for hot_entry in hot_entries) < len(hot_entries) - MIN_SLOTS / 2, (
        "few slots are in use"
    )


@pytest.mark.parametrize(
    ("memory_bytes", "slots"),
    [(0, MIN_SLOTS), (4_000_000, 1_953), (256 * 1024 * 1024, 131_072), (1 << 40, MAX_SLOTS)],
)
def test_there_are_slots_for_what_the_store_may_hold(memory_bytes: int, slots: int) -> None:
    assert slots_for(memory_bytes) == slots
