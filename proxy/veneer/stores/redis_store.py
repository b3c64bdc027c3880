"""L2: stored responses in Redis, one hash per key: one round trip per look-up, and stores that nobody waits for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence

from veneer.core.entry import CodedBody, Entry
from veneer.core.messages import RequestHead
from veneer.core.rules import CacheRules
from veneer.ports import Clock, EvictionListener, FetchLock, LockWish
from veneer.redis.script import RedisCaller
from veneer.redis.states import RedisStates
from veneer.stores.held_lock import HeldLock, RedisLockAttempt
from veneer.stores.pack import OFF_LOOP_FROM_BYTES, from_bytes, from_bytes_now, to_bytes, to_bytes_now
from veneer.stores.redis_access import RedisAccess, RedisStoreCounts, RedisStoreSettings
from veneer.stores.redis_finder import NEVER, OnFound, RedisFinder, StoreQuery
from veneer.stores.redis_writer import RedisWriter
from veneer.stores.skew import ClockSkew

logger = logging.getLogger(__name__)


def _tell_nobody(key: str) -> None:
    """No other node to tell."""


class RedisStore:
    """An EntryStore shared by every node on one Redis, Sentinel set or Cluster; each call touches one key.

    Its keys carry the log's `epoch`, so that positions of different epochs never meet, and each has an expiry.
    `announce` tells the other nodes that a key was replaced. A failing Redis is a miss, soon without being asked.
    What is asked of one key in this process happens in the order in which it was asked.
    """

    def __init__(
        self,
        redis: RedisCaller,
        clock: Clock,
        epoch: Callable[[], str],
        settings: RedisStoreSettings | None = None,
        announce: Callable[[str], None] = _tell_nobody,
        states: RedisStates | None = None,
        skew: ClockSkew | None = None,
    ) -> None:
        self._skew = skew or ClockSkew(clock.now)
        self._access = RedisAccess(redis, clock, epoch, settings, states)
        self._finder = RedisFinder(self._access)
        self._writer = RedisWriter(self._access, announce)

    async def start(self) -> None:
        """Nothing to open: Redis is reached when it is first needed."""

    async def aclose(self) -> None:
        """Wait for what is on its way. The way to Redis belongs to who made it."""
        await self.settled()

    async def settled(self) -> None:
        """Wait until Redis has answered to all that is being stored, or has not for too long."""
        await self._writer.order.settled()

    @property
    def counts(self) -> RedisStoreCounts:
        """What it has done."""
        return self._access.counts

    @property
    def local(self) -> None:
        """Nothing of it is in this process."""

    async def lookup(
        self, key: str, request: RequestHead, rules: CacheRules, wish: LockWish | None = None, dead_until: int = NEVER
    ) -> Sequence[Entry]:
        """The stored responses under `key` that fit `request`; when none fits some of the others.

        What was born up to `dead_until` in this epoch is known to be dead: it counts as not there.
        """
        found: asyncio.Future[Sequence[bytes]] = asyncio.get_running_loop().create_future()

        def told(values: Sequence[bytes]) -> None:
            if not found.done():
                found.set_result(values)

        attempt = None if wish is None else wish()
        taking = attempt if isinstance(attempt, RedisLockAttempt) else None
        self.find(StoreQuery(key, request, rules, taking, dead_until), told)
        entries = [entry for raw in await found if (entry := self.read(key, await from_bytes(raw))) is not None]
        return sorted(entries, key=_newest, reverse=True)

    def find(self, asked: StoreQuery, on_found: OnFound) -> None:
        """As `lookup`, without waiting: `on_found` gets what was found, as bytes, and may be called at once."""
        order = self._writer.order
        if not self._access.epoch() or not self._access.admits(self._access.reading):
            on_found(())
        elif order.busy(asked.key):  # what is being stored there is looked up after that
            order.add(asked.key, lambda: self._find_behind(asked, on_found))
        else:
            self._finder.ask(asked, on_found)

    def _find_behind(self, asked: StoreQuery, on_found: OnFound) -> None:
        self._finder.ask(asked, on_found)
        self._writer.order.done(asked.key)

    def read_now(self, key: str, values: Sequence[bytes]) -> list[Entry]:
        """The entries among stored values that can be read without keeping others waiting, newest first."""
        small = [from_bytes_now(raw) for raw in values if len(raw) < OFF_LOOP_FROM_BYTES]
        entries = [entry for one in small if (entry := self.read(key, one)) is not None]
        if len(entries) > 1:
            entries.sort(key=_newest, reverse=True)
        return entries

    @property
    def vary_names(self) -> Iterable[str]:
        """The request fields whose values a look-up sends along."""
        return self._finder.vary_names

    def read(self, key: str, entry: Entry | None) -> Entry | None:
        """What a stored value turned out to be; None, with a warning, where it cannot be used."""
        if entry is None or entry.born.epoch != self._access.epoch():
            self.counts.damaged += 1
            logger.warning("a stored value cannot be read and counts as a miss: %s", self._access.name(key))
            return None
        self._finder.learn(entry)
        return self._skew.as_here(entry)

    def add_listener(self, key: str, entry: Entry, listener: EvictionListener) -> bool:  # noqa: ARG002 - not here
        """False: nothing is held in memory."""
        return False

    async def put(self, key: str, entry: Entry, keep_s: float, lock: FetchLock | None = None) -> None:
        """Store `entry` unless it is dead already, or too large: then what it would replace goes.

        Nobody waits for Redis. Where too much is on its way, nothing is stored.
        """
        if self._may_store(entry, keep_s):
            raw = await to_bytes(self._skew.as_in_redis(entry), self._access.settings.compress_over_bytes)
            self._store(key, entry, raw, keep_s, lock)

    def put_now(self, key: str, entry: Entry, keep_s: float, lock: FetchLock | None) -> None:
        """As `put`, of an entry that is not large."""
        if self._may_store(entry, keep_s):
            raw = to_bytes_now(self._skew.as_in_redis(entry), self._access.settings.compress_over_bytes)
            self._store(key, entry, raw, keep_s, lock)

    def _may_store(self, entry: Entry, keep_s: float) -> bool:
        access = self._access
        epoch = access.epoch()
        if keep_s <= 0 or not epoch or entry.born.epoch != epoch:
            return False
        if self._writer.full:
            access.counts.skipped += 1
            return False
        return access.admits(access.writing)

    def _store(self, key: str, entry: Entry, raw: bytes, keep_s: float, lock: FetchLock | None) -> None:
        access = self._access
        if len(raw) > access.settings.max_entry_bytes:
            access.counts.too_large += 1
            raw = b""
        self._finder.learn(entry)
        held = lock if isinstance(lock, HeldLock) and lock.hand_over() else None
        keep_ms = round(min(keep_s, access.settings.max_keep_s) * 1000)
        self._writer.put(key, entry, raw, max(1, keep_ms), held)

    def attach(self, key: str, entry: Entry, coded: CodedBody) -> bool:  # noqa: ARG002 - nothing is kept
        """Nothing: a form goes there with its entry; one made later is cheaper made again than sent to and fro."""
        return False

    def used_since(self, key: str, entry: Entry) -> bool | None:  # noqa: ARG002 - memory holds nothing
        """None: nothing is held in memory."""
        return None

    async def forget(self, key: str, entry: Entry) -> None:
        """Forget `entry`, and tell the other nodes. One that was fetched later, and knows of more events, stays."""
        if self._access.epoch():
            await self._writer.forget(key, entry)


def _newest(entry: Entry) -> tuple[float, bool]:
    return entry.response_time, entry.span is not None
