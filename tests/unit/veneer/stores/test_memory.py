"""L1: what stays, what goes, and what it says it takes."""

from __future__ import annotations

import gc
import sys
import tracemalloc

import pytest

from tests.support.entries import RULES, get, stored
from veneer.core.entry import CodedBody, Entry, Position
from veneer.core.fields import Fields
from veneer.stores.memory import MemoryStore, cost_bytes

BORN = Position("e", 0)


async def _fill(store: MemoryStore, *keys: str, body: bytes = b"") -> None:
    for key in keys:
        await store.put(key, stored(BORN, body=body), 60)


def _room_for(count: int) -> int:
    return count * cost_bytes("k0", stored(BORN, body=b""))


async def test_a_scan_of_keys_used_once_does_not_push_out_those_in_use() -> None:
    store = MemoryStore(max_bytes=_room_for(10))
    hot = [f"h{n}" for n in range(5)]
    await _fill(store, *hot)
    for n in range(1000):
        for key in hot:
            store.get_local(key)
        await _fill(store, f"s{n % 100}")
    assert all(store.get_local(key) for key in hot)
    assert store.evicted > 900


async def test_the_bound_in_bytes_holds_whatever_comes() -> None:
    store = MemoryStore(max_bytes=100_000)
    for n in range(500):
        await _fill(store, f"k{n}", body=b"x" * (n * 37 % 20_000))
        assert store.size_bytes <= 100_000
    assert store.size_bytes == sum(cost_bytes(f"k{n}", e) for n in range(500) for e in store.get_local(f"k{n}"))


async def test_an_entry_too_large_is_not_kept_and_takes_the_one_it_would_replace_with_it() -> None:
    store = MemoryStore(max_bytes=100_000)
    await _fill(store, "k", body=b"small")
    await _fill(store, "k", body=b"x" * 30_000)
    assert not store.get_local("k")
    assert store.size_bytes == 0


async def test_attached_bodies_count_and_a_replaced_entry_takes_none() -> None:
    store = MemoryStore(max_bytes=100_000)
    await _fill(store, "k")
    (entry,) = store.get_local("k")
    before = store.size_bytes
    store.attach("k", entry, CodedBody("br", b"12345678"))
    assert store.size_bytes > before + 8
    (fat,) = store.get_local("k")
    store.attach("k", entry, CodedBody("gzip", b"for an entry that is gone"))
    assert store.get_local("k") == (fat,)
    await _fill(store, "k")
    assert store.size_bytes == before


async def test_use_is_noticed_once_and_goes_on_to_keep_what_is_used() -> None:
    store = MemoryStore(max_bytes=_room_for(4))
    await _fill(store, "k0", "k1", "k2", "k3")
    (entry,) = store.get_local("k0")
    assert [store.used_since("k0", entry) for _ in range(2)] == [True, False]
    await _fill(store, "k4", "k5")
    assert store.get_local("k0") == (entry,)
    assert store.used_since("k1", entry) is None
    await store.put("k0", stored(BORN), 60)
    assert store.used_since("k0", entry) is None


async def test_a_recompressed_body_takes_the_place_of_the_first_and_gives_its_room_back() -> None:
    store = MemoryStore()
    await _fill(store, "k")
    (entry,) = store.get_local("k")
    assert store.attach("k", entry, CodedBody("br", b"12345678"))
    (coded,) = store.get_local("k")
    before = store.size_bytes
    coded.memo.through = 7
    assert not store.attach("k", entry, CodedBody("br", b"123", recompressed=True))
    assert store.attach("k", coded, CodedBody("br", b"123", recompressed=True))
    (recompressed,) = store.get_local("k")
    assert (recompressed.coded, recompressed.memo.through) == ((CodedBody("br", b"123", recompressed=True),), 7)
    assert store.size_bytes == before - 5


async def test_what_leaves_the_store_refers_to_nothing_that_was_in_it() -> None:
    store = MemoryStore()
    await _fill(store, "k0", "k1", "k2", "k3")
    places = [store._places[key] for key in ("k0", "k1", "k2", "k3")]
    store.drop("k1")
    store.clear()
    while places:
        place = places.pop()
        assert sys.getrefcount(place) == 2, "the collector, which would find a cycle, does not look at places"


async def test_variants_beyond_the_bound_push_out_the_oldest() -> None:
    store = MemoryStore(max_variants=3)
    for language in ("de", "en", "fr", "it"):
        await store.put("k", stored(BORN, vary=(("accept-language", language),)), 60)
    assert [entry.vary[0][1] for entry in await store.lookup("k", get(), RULES)] == ["it", "fr", "en"]


async def test_variants_of_one_key_alone_stay_within_the_bound_in_bytes() -> None:
    store = MemoryStore(max_bytes=60_000)
    for number in range(20):
        await store.put("k", stored(BORN, body=b"x" * 8_000, vary=(("accept", str(number)),)), 60)
    assert store.size_bytes <= 60_000
    assert store.get_local("k")[0].vary == (("accept", "19"),)


async def test_the_hand_survives_the_loss_of_the_place_it_points_to() -> None:
    store = MemoryStore(max_bytes=_room_for(4))
    await _fill(store, "k0", "k1", "k2", "k3", "k4")
    store.get_local("k1")
    await _fill(store, "k5")
    for key in ("k2", "k1", "k3", "k4", "k5"):
        store.drop(key)
    assert (len(store), store.size_bytes) == (0, 0)
    await _fill(store, "k6", "k7", "k8", "k9", "kA")
    assert len(store) == 4


@pytest.mark.parametrize("field_count", [3, 20])
def test_the_estimate_of_memory_is_near_what_python_takes(field_count: int) -> None:
    def entry(number: int) -> Entry:
        """Every other field says the same in all entries."""
        pairs = [(f"X-Field-{n}", f"value {n} of {number if n % 2 else 'all'}") for n in range(field_count)]
        body = b"%d" % number * 200
        at = 1_700_000_000.0 + number
        return Entry(200, "OK", Fields(pairs).shared(), body, at, at + 1, f"site/{number}", BORN, tags=(f"t:{number}",))

    gc.collect()
    tracemalloc.start()
    store = MemoryStore()
    for number in range(2000):
        made = entry(number)
        store.keep(f"key {number}", (made,))
        made.drop_derived()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.7 * taken < store.size_bytes < 1.5 * taken
