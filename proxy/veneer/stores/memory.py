"""L1: stored responses in this process, bounded in bytes, evicted by SIEVE.

SIEVE (Zhang et al., NSDI 2024) keeps objects in the order they came. A hit only sets a mark. To make room a hand
moves from the oldest towards the newest, clears marks and takes the first object without one, so a scan of
objects used once passes through without pushing out those in use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from mypy_extensions import mypyc_attr

from veneer.core.entry import CodedBody, Entry
from veneer.core.messages import RequestHead
from veneer.core.rules import CacheRules
from veneer.ports import EvictionListener, FetchLock, LockWish

DEFAULT_MAX_BYTES: Final = 256 * 1024 * 1024
DEFAULT_MAX_VARIANTS: Final = 32
MAX_COMPANIONS: Final = 8
ENTRY_COST_BYTES: Final = 650
"""Bytes of Python objects around one entry, its place and its listener, measured
(tests/unit/veneer/stores/test_memory.py; with listeners, `python -m benchmarks.peers --cases growth`)."""
PAIR_COST_BYTES: Final = 100
"""Bytes of Python objects around one field line, tag or Vary pair: hardly any where others share it, else 190."""


def cost_bytes(key: str, entry: Entry) -> int:
    """The memory an entry takes here, by estimate: its bytes and the objects that hold them."""
    pairs = len(entry.fields.pairs) + len(entry.tags) + len(entry.vary) + len(entry.coded)
    return entry.size_bytes + len(key) + ENTRY_COST_BYTES + PAIR_COST_BYTES * pairs


def _costs_bytes(key: str, entries: Sequence[Entry]) -> int:
    return sum([cost_bytes(key, entry) for entry in entries])


@mypyc_attr(acyclic=True)  # what leaves the queue is unlinked
class _KeyRecord:
    """A key's variants, newest first, its place in the queue, and who is told when the variants change.

    `used`, or that of a listener, is set by every hit. `MemoryStore.used_since` moves it into `spared_once`; for SIEVE
    either counts.
    """

    __slots__ = ("entries", "key", "listener", "listeners", "newer", "older", "size_bytes", "spared_once", "used")

    def __init__(self, key: str, entries: tuple[Entry, ...]) -> None:
        self.key: Final = key
        self.entries = entries
        self.size_bytes = 0
        self.used = False
        self.spared_once = False
        self.listener: EvictionListener | None = None
        self.listeners: tuple[EvictionListener, ...] = ()
        self.newer: _KeyRecord | None = None
        self.older: _KeyRecord | None = None

    def change(self, entries: tuple[Entry, ...]) -> None:
        """Hold these from now on."""
        self.entries = entries
        self.dismiss()

    def join(self, listener: EvictionListener) -> None:
        """Tell `listener` when the variants change. Most places have one listener at most, and need no tuple."""
        if self.listener is None:
            self.listener = listener
            return
        if len(self.listeners) >= MAX_COMPANIONS - 1:
            oldest, self.listener = self.listener, self.listeners[0]
            self.listeners = self.listeners[1:]
            self.used = self.used or oldest.used
            oldest.part()
        self.listeners += (listener,)

    def take_used(self) -> bool:
        """Whether it was used since this was asked last."""
        used, self.used = self.used, False
        if self.listener is None:
            return used
        for listener in (self.listener, *self.listeners):
            used = used or listener.used
            listener.used = False
        return used

    def dismiss(self) -> None:
        """Tell all listeners."""
        self.used = self.take_used()
        first, others = self.listener, self.listeners
        self.listener, self.listeners = None, ()
        if first is not None:
            first.part()
        for listener in others:
            listener.part()


class _Queue:
    """Places in the order they came, and SIEVE's hand."""

    def __init__(self) -> None:
        self._newest: _KeyRecord | None = None
        self._oldest: _KeyRecord | None = None
        self._hand: _KeyRecord | None = None

    def add(self, place: _KeyRecord) -> None:
        place.older = self._newest
        if self._newest is not None:
            self._newest.newer = place
        self._newest = place
        if self._oldest is None:
            self._oldest = place

    def remove(self, place: _KeyRecord) -> None:
        if self._hand is place:
            self._hand = place.newer
        if place.newer is None:
            self._newest = place.older
        else:
            place.newer.older = place.older
        if place.older is None:
            self._oldest = place.newer
        else:
            place.older.newer = place.newer
        place.newer = place.older = None

    def victim(self, exempt: _KeyRecord | None) -> _KeyRecord | None:
        """The next place to go, never `exempt`; None when there is no other."""
        if self._oldest is None or (self._oldest is exempt and self._newest is exempt):
            return None
        hand = self._hand or self._oldest
        while hand.take_used() or hand.spared_once or hand is exempt:
            hand.spared_once = False
            hand = hand.newer or self._oldest
        self._hand = hand
        return hand


class MemoryStore:
    """An EntryStore in this process.

    An entry larger than a quarter of `max_bytes` is not kept; a key keeps at most `max_variants` entries, the newest.
    """

    def __init__(self, *, max_bytes: int = DEFAULT_MAX_BYTES, max_variants: int = DEFAULT_MAX_VARIANTS) -> None:
        self._max_bytes = max_bytes
        self._max_entry_bytes = max_bytes // 4
        self._max_variants = max_variants
        self._places: dict[str, _KeyRecord] = {}
        self._queue = _Queue()
        self._bytes = 0
        self._evicted = 0
        self._lookups = 0
        self._found = 0

    async def start(self) -> None:
        """Nothing to open."""

    async def aclose(self) -> None:
        """Nothing to close; what is stored is forgotten."""
        self.clear()

    def __len__(self) -> int:
        return len(self._places)

    @property
    def local(self) -> MemoryStore:
        """All of it is here."""
        return self

    @property
    def beyond(self) -> None:
        """All of it is here."""
        return

    @property
    def size_bytes(self) -> int:
        """Bytes held, by estimate."""
        return self._bytes

    @property
    def evicted(self) -> int:
        """Keys forgotten to make room, ever."""
        return self._evicted

    @property
    def lookups(self) -> int:
        """Look-ups, ever."""
        return self._lookups

    @property
    def found(self) -> int:
        """Look-ups that memory alone could answer, ever."""
        return self._found

    def count(self, *, found: bool) -> None:
        """Count a look-up: whether it was answered from here is for the asker to say."""
        self._lookups += 1
        self._found += found

    def entries(self) -> Iterator[Entry]:
        """Every stored response, in no particular order. The store must not change meanwhile."""
        for place in self._places.values():
            yield from place.entries

    def items(self) -> Iterator[tuple[str, Entry]]:
        """As `entries`, each with its key."""
        for key, place in self._places.items():
            for entry in place.entries:
                yield key, entry

    async def lookup(
        self,
        key: str,
        request: RequestHead,  # noqa: ARG002 - core.vary chooses
        rules: CacheRules,  # noqa: ARG002
        wish: LockWish | None = None,  # noqa: ARG002 - all is here
    ) -> Sequence[Entry]:
        """Every stored response under `key`, newest first."""
        found = self.get_local(key)
        self._lookups += 1
        self._found += bool(found)
        return found

    def get_local(self, key: str) -> Sequence[Entry]:
        """Every stored response under `key`, newest first; marks it as used."""
        place = self._places.get(key)
        if place is None:
            return ()
        place.used = True
        for entry in place.entries:
            entry.fields.rebuild_derived()
        return place.entries

    def add_listener(self, key: str, entry: Entry, listener: EvictionListener) -> bool:
        """Tell `listener` when this no longer holds `entry`, and it alone, under `key`."""
        place = self._places.get(key)
        if place is None or len(place.entries) != 1 or place.entries[0] is not entry:
            return False
        place.join(listener)
        return True

    async def put(
        self,
        key: str,
        entry: Entry,
        keep_s: float,
        lock: FetchLock | None = None,  # noqa: ARG002 - no other node waits
    ) -> None:
        """Store `entry`, replacing the one with equal `vary` and `span`. It stays until room is needed."""
        self.put_now(key, entry, keep_s)

    def put_now(self, key: str, entry: Entry, keep_s: float, lock: FetchLock | None = None) -> None:  # noqa: ARG002
        """As `put`."""
        if keep_s > 0:
            self.keep(key, (entry,))

    def keep(self, key: str, entries: Iterable[Entry]) -> None:
        """Store several responses of one key, the newest first, each replacing the one with equal `vary` and `span`.

        A response fetched earlier never replaces one fetched later: it is older news, however late it comes.
        """
        place = self._places.get(key)
        kept = () if place is None else place.entries
        size = 0 if place is None else place.size_bytes
        for entry in reversed(tuple(entries)):
            if kept:
                replaced = [other for other in kept if _same(other, entry)]
                if any(_fetched_later(other, entry) for other in replaced):
                    continue
                kept = tuple([other for other in kept if not _same(other, entry)])
                size -= _costs_bytes(key, replaced)
            cost = cost_bytes(key, entry)
            if cost <= self._max_entry_bytes:
                kept, size = (entry, *kept), size + cost
        if len(kept) > self._max_variants:
            size -= _costs_bytes(key, kept[self._max_variants :])
            kept = kept[: self._max_variants]
        self._set(key, place, kept, size)

    def attach(self, key: str, entry: Entry, coded: CodedBody) -> bool:
        """Keep a coded body with `entry` where it is still stored."""
        place = self._holding(key, entry)
        if place is None:
            return False
        with_coded = entry.with_coded(coded)
        cost = cost_bytes(key, with_coded)
        if cost > self._max_entry_bytes:
            return False
        entries = tuple(with_coded if other is entry else other for other in place.entries)
        self._set(key, place, entries, place.size_bytes - cost_bytes(key, entry) + cost)
        return True

    def used_since(self, key: str, entry: Entry) -> bool | None:
        """Whether anything under `key` was used since this was asked last; None where `entry` is no longer stored."""
        place = self._holding(key, entry)
        if place is None:
            return None
        used = place.take_used()
        place.spared_once = used or place.spared_once
        return used

    def _holding(self, key: str, entry: Entry) -> _KeyRecord | None:
        place = self._places.get(key)
        return place if place is not None and any(other is entry for other in place.entries) else None

    async def forget(self, key: str, entry: Entry) -> None:
        """Forget `entry`, unless something received later has taken its place."""
        self.forget_now(key, entry)

    def forget_now(self, key: str, entry: Entry) -> None:
        """As `forget`."""
        place = self._places.get(key)
        if place is None:
            return
        gone = [other for other in place.entries if _same(other, entry) and other.response_time <= entry.response_time]
        if gone:
            kept = tuple([other for other in place.entries if other not in gone])
            self._set(key, place, kept, place.size_bytes - _costs_bytes(key, gone))

    def drop(self, key: str) -> None:
        """Forget everything under `key`, now."""
        place = self._places.pop(key, None)
        if place is not None:
            self._queue.remove(place)
            self._bytes -= place.size_bytes
            place.change(())

    def clear(self) -> None:
        """Forget everything."""
        places, self._places = self._places, {}
        for place in places.values():
            place.newer = place.older = None
            place.change(())
        self._queue = _Queue()
        self._bytes = 0

    def _set(self, key: str, place: _KeyRecord | None, entries: tuple[Entry, ...], size: int) -> None:
        """Hold these, which take `size` bytes."""
        if not entries:
            self.drop(key)
            return
        if place is None:
            place = self._places[key] = _KeyRecord(key, entries)
            self._queue.add(place)
        else:
            place.change(entries)
        self._bytes += size - place.size_bytes
        place.size_bytes = size
        if self._bytes > self._max_bytes:
            self._make_room(place)

    def _make_room(self, exempt: _KeyRecord) -> None:
        while self._bytes > self._max_bytes:
            victim = self._queue.victim(exempt)
            if victim is None:
                self._drop_oldest_variant(exempt)
                continue
            self.drop(victim.key)
            self._evicted += 1

    def _drop_oldest_variant(self, place: _KeyRecord) -> None:
        dropped = cost_bytes(place.key, place.entries[-1])
        place.size_bytes -= dropped
        place.change(place.entries[:-1])
        self._bytes -= dropped


def _same(one: Entry, other: Entry) -> bool:
    return one.vary == other.vary and one.span == other.span


def _fetched_later(one: Entry, other: Entry) -> bool:
    return one.born.epoch == other.born.epoch and one.born.seq > other.born.seq
