"""L1 over L2: memory answers what it can, the shared store the rest, and fills memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from veneer.core.entry import CodedBody, Entry
from veneer.core.invalidation import Validity
from veneer.core.messages import RequestHead
from veneer.core.rules import CacheRules
from veneer.core.vary import matches
from veneer.ports import EvictionListener, FetchLock, InvalidationLog, LockAttempt, LockWish, OnLooked
from veneer.stores.held_lock import RedisLockAttempt
from veneer.stores.memory import MemoryStore
from veneer.stores.redis_finder import NEVER, StoreQuery
from veneer.stores.redis_store import RedisStore


class _Look:
    """What is looked up under one key, by so many, and how often that was replaced meanwhile."""

    __slots__ = ("replacements", "under_way")

    def __init__(self) -> None:
        self.under_way = 0
        self.replacements = 0


class TieredStore:
    """An EntryStore of two levels. The shared one may fail: then memory is all there is."""

    def __init__(self, memory: MemoryStore, shared: RedisStore, log: InvalidationLog) -> None:
        self._memory = memory
        self._shared = shared
        self._log = log
        self._looks: dict[str, _Look] = {}

    async def start(self) -> None:
        """Nothing to open: both levels belong to who made them."""

    async def aclose(self) -> None:
        """Nothing to close."""

    @property
    def local(self) -> TieredStore:
        """What memory has is here."""
        return self

    @property
    def beyond(self) -> TieredStore:
        """What memory lacks the shared store may have."""
        return self

    @property
    def vary_names(self) -> Iterable[str]:
        """As `SharedLookups`."""
        return self._shared.vary_names

    def get_local(self, key: str) -> Sequence[Entry]:
        """What memory has."""
        return self._memory.get_local(key)

    def look(
        self, key: str, request: RequestHead, rules: CacheRules, attempt: LockAttempt | None, on_looked: OnLooked
    ) -> None:
        """Ask the shared store for what memory lacks; what it has, and is not large, is in memory afterwards."""
        look = self._begin_look(key)
        before = look.replacements

        def found(values: Sequence[bytes]) -> None:
            self._end_look(key, look)
            entries = self._shared.read_now(key, values) if values else ()
            if entries and before == look.replacements:
                self._take_up(key, entries)
            if not on_looked(bool(values)):
                self._memory.count(found=False)

        taking = attempt if isinstance(attempt, RedisLockAttempt) else None
        local = self._memory.get_local(key)
        dead_until = self._dead_until(local, request, rules) if local else NEVER
        self._shared.find(StoreQuery(key, request, rules, taking, dead_until), found)

    def put_now(self, key: str, entry: Entry, keep_s: float, lock: FetchLock | None) -> None:
        """As `put`, of an entry that is not large."""
        self._memory.put_now(key, entry, keep_s)
        self._shared.put_now(key, entry, keep_s, lock)

    @property
    def memory(self) -> MemoryStore:
        """The first level."""
        return self._memory

    def replaced(self, key: str) -> None:
        """Another node has replaced what the shared store holds under `key`: memory drops its own."""
        look = self._looks.get(key)
        if look is not None:
            look.replacements += 1
        self._memory.drop(key)

    def _begin_look(self, key: str) -> _Look:
        """Hear of what is replaced under `key` until `_end_look`: what was read before that is not to be kept."""
        look = self._looks.get(key)
        if look is None:
            look = self._looks[key] = _Look()
        look.under_way += 1
        return look

    def _end_look(self, key: str, look: _Look) -> None:
        look.under_way -= 1
        if look.under_way == 0:
            del self._looks[key]

    async def lookup(
        self, key: str, request: RequestHead, rules: CacheRules, wish: LockWish | None = None
    ) -> Sequence[Entry]:
        """From memory where it holds a valid response that fits, else from the shared store, and then from both."""
        l1 = self._memory.get_local(key)
        serves = any(self._serves(entry, request, rules) for entry in l1)
        self._memory.count(found=serves)
        if serves:
            return l1
        look = self._begin_look(key)
        before = look.replacements
        try:
            l2 = await self._shared.lookup(key, request, rules, wish, self._dead_until(l1, request, rules))
        finally:
            self._end_look(key, look)
        if not l2:
            return self._memory.get_local(key)
        if before != look.replacements:  # what was just read may be what was just replaced
            return l2
        self._take_up(key, l2)
        return self._memory.get_local(key) or l2

    def add_listener(self, key: str, entry: Entry, listener: EvictionListener) -> bool:
        """Tell `listener` when memory no longer holds `entry` alone."""
        return self._memory.add_listener(key, entry, listener)

    async def put(self, key: str, entry: Entry, keep_s: float, lock: FetchLock | None = None) -> None:
        """Store in both levels; memory has it before this waits for anything."""
        await self._memory.put(key, entry, keep_s)
        await self._shared.put(key, entry, keep_s, lock)

    def attach(self, key: str, entry: Entry, coded: CodedBody) -> bool:
        """Keep a coded body in memory."""
        return self._memory.attach(key, entry, coded)

    def used_since(self, key: str, entry: Entry) -> bool | None:
        """Whether what memory holds was used since this was asked last."""
        return self._memory.used_since(key, entry)

    async def forget(self, key: str, entry: Entry) -> None:
        """Forget `entry` in both levels."""
        self._memory.forget_now(key, entry)
        await self._shared.forget(key, entry)

    def _take_up(self, key: str, l2: Sequence[Entry]) -> None:
        """Have memory hold what the shared store has as well."""
        local = self._memory.get_local(key)
        if not local and len(l2) == 1:
            self._memory.keep(key, l2)
            return
        alive = [entry for entry in local if self._log.validity(entry) is not Validity.DEAD]
        self._memory.keep(key, _newest_first(l2, alive))

    def _dead_until(self, l1: Sequence[Entry], request: RequestHead, rules: CacheRules) -> int:
        """Up to which birth what may lie in Redis for the request is dead, as far as memory tells.

        What was dead here when it was as young as that is as dead there. To take a living one of other tags for dead
        costs one fetch.
        """
        epoch = self._log.position.epoch
        births = [
            entry.born.seq
            for entry in l1
            if entry.born.epoch == epoch
            and self._log.validity(entry) is Validity.DEAD
            and matches(entry, request, rules)
        ]
        return max(births, default=NEVER)

    def _serves(self, entry: Entry, request: RequestHead, rules: CacheRules) -> bool:
        return self._log.validity(entry) is Validity.VALID and matches(entry, request, rules)


def _newest_first(l2: Sequence[Entry], l1: Sequence[Entry]) -> list[Entry]:
    """What both levels hold, each response once: where both hold it, the one received later."""
    latest: dict[tuple[object, object], Entry] = {}
    for entry in sorted((*l2, *l1), key=lambda entry: entry.response_time):
        latest[entry.vary, entry.span] = entry
    return sorted(latest.values(), key=lambda entry: entry.response_time, reverse=True)
