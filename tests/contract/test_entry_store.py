"""What every EntryStore promises."""

from __future__ import annotations

import pytest

from tests.support.entries import RULES, get, stored
from veneer.core.entry import ByteSpan, CodedBody, Entry, Position
from veneer.ports import EntryStore
from veneer.stores.memory import MemoryStore

BORN = Position("e", 1)
DE = (("accept-language", "de"),)
EN = (("accept-language", "en"),)


async def test_what_is_put_is_found_until_it_is_forgotten(store: EntryStore) -> None:
    assert not await store.lookup("k", get(), RULES)
    entry = stored(BORN, "tag", body=b"\x00\xff" * 3000)
    await store.put("k", entry, 60)
    assert list(await store.lookup("k", get(), RULES)) == [entry]
    assert not await store.lookup("K", get(), RULES)
    await store.forget("k", entry)
    assert not await store.lookup("k", get(), RULES)
    await store.forget("k", entry)


async def test_what_is_forgotten_is_one_variant_or_part(store: EntryStore) -> None:
    whole = stored(BORN, body=b"0123456789", vary=DE)
    part = stored(BORN, body=b"234", vary=DE, span=ByteSpan(2, 4, 10))
    other = stored(BORN, body=b"ten", vary=EN)
    for entry in (whole, part, other):
        await store.put("k", entry, 60)
    await store.forget("k", whole)
    german = await store.lookup("k", get(accept_language="de"), RULES)
    assert [entry for entry in german if entry.vary == DE] == [part]
    assert [entry for entry in await store.lookup("k", get(accept_language="en"), RULES) if entry.vary == EN] == [other]


async def test_what_was_fetched_later_is_not_forgotten_for_an_earlier_one(store: EntryStore) -> None:
    earlier = stored(Position("e", 1), body=b"earlier", received=1_700_000_001.0)
    await store.put("k", stored(Position("e", 2), body=b"later", received=1_700_000_002.0), 60)
    await store.forget("k", earlier)
    assert [entry.body for entry in await store.lookup("k", get(), RULES)] == [b"later"]


async def test_look_ups_in_memory_are_counted_by_whether_it_could_answer() -> None:
    memory = MemoryStore()
    await memory.lookup("k", get(), RULES)
    await memory.put("k", stored(BORN), 60)
    await memory.lookup("k", get(), RULES)
    assert (memory.lookups, memory.found) == (2, 1)


async def test_an_entry_replaces_its_equal_in_vary_and_span(store: EntryStore) -> None:
    await store.put("k", stored(BORN, body=b"old"), 60)
    await store.put("k", stored(BORN, body=b"new"), 60)
    assert [entry.body for entry in await store.lookup("k", get(), RULES)] == [b"new"]


async def test_a_response_fetched_earlier_never_replaces_one_fetched_later(store: EntryStore) -> None:
    await store.put("k", stored(Position("e", 2), body=b"later"), 60)
    await store.put("k", stored(Position("e", 1), body=b"late fill"), 60)
    assert [entry.body for entry in await store.lookup("k", get(), RULES)] == [b"later"]


async def test_variants_and_parts_stand_beside_each_other(store: EntryStore) -> None:
    whole = stored(BORN, body=b"0123456789", vary=DE)
    part = stored(BORN, body=b"234", vary=DE, span=ByteSpan(2, 4, 10))
    other = stored(BORN, body=b"ten", vary=EN)
    for entry in (whole, part, other):
        await store.put("k", entry, 60)
    german = await store.lookup("k", get(accept_language="de"), RULES)
    assert [entry for entry in german if entry.vary == DE] == [part, whole]
    english = await store.lookup("k", get(accept_language="en"), RULES)
    assert [entry for entry in english if entry.vary == EN] == [other]


async def test_a_request_that_no_variant_fits_learns_that_there_are_others(store: EntryStore) -> None:
    await store.put("k", stored(BORN, vary=DE), 60)
    assert [entry.vary for entry in await store.lookup("k", get(accept_language="fr"), RULES)] == [DE]


async def test_what_may_be_forgotten_at_once_is_not_kept(store: EntryStore) -> None:
    await store.put("k", stored(BORN), 0)
    assert not await store.lookup("k", get(), RULES)


async def test_a_coded_body_is_a_hint_that_harms_nothing(store: EntryStore) -> None:
    entry = stored(BORN)
    assert not store.attach("k", entry, CodedBody("br", b"not even stored"))
    await store.put("k", entry, 60)
    kept = store.attach("k", entry, CodedBody("br", b"coded"))
    (found,) = await store.lookup("k", get(), RULES)
    assert found.body == entry.body
    assert found.coded == ((CodedBody("br", b"coded"),) if kept else ())


async def test_use_is_known_of_what_memory_holds(store: EntryStore) -> None:
    entry = stored(BORN)
    assert store.used_since("k", entry) is None
    await store.put("k", entry, 60)
    if store.used_since("k", entry) is None:
        pytest.skip("keeps nothing in memory")
    assert store.used_since("k", entry) is False
    await store.lookup("k", get(), RULES)
    assert [store.used_since("k", entry) for _ in range(2)] == [True, False]
    await store.forget("k", entry)
    assert store.used_since("k", entry) is None


class Guest:
    """A listener that counts how often it is told to go."""

    def __init__(self) -> None:
        self.told = 0
        self.used = False

    def part(self) -> None:
        self.told += 1


async def accompanied(store: EntryStore) -> tuple[Entry, Guest]:
    """A stored entry and its listener; where nothing is held in memory nobody waits for it."""
    entry, guest = stored(BORN), Guest()
    await store.put("k", entry, 60)
    if not store.add_listener("k", entry, guest):
        pytest.skip("keeps nothing in memory")
    return entry, guest


async def test_nobody_accompanies_what_is_not_stored(store: EntryStore) -> None:
    guest = Guest()
    assert not store.add_listener("k", stored(BORN), guest)
    await store.put("k", stored(BORN), 60)
    assert not store.add_listener("k", stored(BORN, body=b"another"), guest)
    assert guest.told == 0


async def test_a_listener_is_told_once_when_its_entry_is_forgotten(store: EntryStore) -> None:
    entry, guest = await accompanied(store)
    await store.forget("k", entry)
    await store.forget("k", entry)
    assert guest.told == 1


async def test_what_a_listener_was_used_for_counts_as_use(store: EntryStore) -> None:
    entry, guest = await accompanied(store)
    store.used_since("k", entry)
    guest.used = True
    assert [store.used_since("k", entry) for _ in range(2)] == [True, False]
    guest.used = True
    for _ in range(20):
        assert store.add_listener("k", entry, Guest())
    assert [store.used_since("k", entry) for _ in range(2)] == [True, False], "also when it had to go"


async def test_a_listener_is_told_when_its_entry_is_replaced(store: EntryStore) -> None:
    _, guest = await accompanied(store)
    await store.put("k", stored(BORN, body=b"newer"), 60)
    assert guest.told == 1


async def test_a_listener_is_told_when_its_entry_is_no_longer_alone(store: EntryStore) -> None:
    entry, guest = await accompanied(store)
    await store.put("k", stored(BORN, vary=(("accept", "x"),)), 60)
    assert guest.told == 1
    assert not store.add_listener("k", entry, guest)


async def test_a_listener_is_told_when_a_coded_body_makes_its_entry_another(store: EntryStore) -> None:
    entry, guest = await accompanied(store)
    store.attach("k", entry, CodedBody("br", b"coded"))
    assert guest.told == 1


async def test_only_so_many_accompany_an_entry(store: EntryStore) -> None:
    entry, first = await accompanied(store)
    guests = [Guest() for _ in range(20)]
    assert all(store.add_listener("k", entry, guest) for guest in guests)
    assert first.told == 1
    assert [guest.told for guest in guests] == [1] * 12 + [0] * 8
