"""How the shared store is asked: its bounds, its counts, and when Redis is left alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from veneer.ports import Clock
from veneer.redis.keys import entry_key
from veneer.redis.script import RedisCaller
from veneer.redis.states import RedisStates
from veneer.redis.tries import RedisTries
from veneer.stores.held_lock import digest_of


@dataclass(frozen=True, slots=True)
class RedisStoreSettings:
    """Bounds. `timeout_s` is for one call; `max_failures` in a row leave Redis alone for `open_s`.

    `max_entry_bytes` is counted after compression. No more than `max_storing` responses, and `max_storing_bytes`, are
    on their way to Redis; what comes beyond that is not stored there.
    """

    timeout_s: float = 0.25
    max_failures: int = 3
    open_s: float = 1.0
    max_entry_bytes: int = 8 * 1024 * 1024
    compress_over_bytes: int = 1024
    max_variants: int = 16
    max_keep_s: float = 30 * 86_400.0
    max_storing: int = 4096
    max_storing_bytes: int = 64 * 1024 * 1024


@dataclass(slots=True)
class RedisStoreCounts:
    """What the shared store has done since the start.

    `skipped` calls were not made: Redis was being left alone, or too much was on its way.
    """

    lookups: int = 0
    found: int = 0
    stored: int = 0
    replaced: int = 0
    too_large: int = 0
    damaged: int = 0
    failures: int = 0
    skipped: int = 0


class RedisAccess:
    """What look-ups and stores have in common. Keys carry the log's `epoch`; without one there is no store."""

    def __init__(
        self,
        redis: RedisCaller,
        clock: Clock,
        epoch: Callable[[], str],
        settings: RedisStoreSettings | None,
        states: RedisStates | None,
    ) -> None:
        self.redis = redis
        self.epoch = epoch
        self.settings = settings or RedisStoreSettings()
        self.counts = RedisStoreCounts()
        self._states = states or RedisStates(clock.monotonic)
        chosen = self.settings
        # Forgetting goes with reading: what is still read must not be left there because nothing new can be stored.
        self.reading = RedisTries(self._states, self._states.answered, chosen.max_failures, chosen.open_s)
        self.writing = RedisTries(self._states, self._states.stored, chosen.max_failures, chosen.open_s, waits=False)
        self._clock = clock

    def name(self, key: str, epoch: str | None = None) -> str:
        """The hash of a cache key, in this epoch or another one."""
        return entry_key(self.epoch() if epoch is None else epoch, digest_of(key))

    def admits(self, side: RedisTries) -> bool:
        """Whether Redis may be asked; False, and counted, where it has failed too often to be asked just now."""
        if side.admits(self._clock.monotonic()):
            return True
        self.counts.skipped += 1
        return False

    def failed(self, side: RedisTries, error: BaseException) -> None:
        """Redis has not done what it was asked for."""
        self.counts.failures += 1
        side.failed(error, self._clock.monotonic(), self.writing if side is self.reading else self.reading)
