"""How the shared store is asked: its bounds, its counts, and when Redis is left alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from veneer.core import breaker
from veneer.ports import Clock
from veneer.redis.keys import entry_key
from veneer.redis.script import RedisCaller
from veneer.redis.states import RedisStates
from veneer.redis.troubles import Trouble
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


class Side:
    """Reading or storing: whether it is tried at all. `worked` is told of each success.

    A Redis that is full, or a replica, refuses one and does the other. Forgetting goes with reading: what is still read
    must not be left there because nothing new can be stored.
    """

    def __init__(self, worked: Callable[[], None]) -> None:
        self.breaker = breaker.Breaker()
        self._worked = worked

    def begin(self) -> None:
        """A call leaves; it was admitted."""
        self.breaker = breaker.begun(self.breaker)

    def succeeded(self) -> None:
        """Redis has done what it was asked for."""
        self.breaker = breaker.succeeded()
        self._worked()


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
        self.reading = Side(self._states.answered)
        self.writing = Side(self._states.stored)
        self._clock = clock

    def name(self, key: str, epoch: str | None = None) -> str:
        """The hash of a cache key, in this epoch or another one."""
        return entry_key(self.epoch() if epoch is None else epoch, digest_of(key))

    def admits(self, side: Side) -> bool:
        """Whether Redis may be asked; False, and counted, where it has failed too often to be asked just now.

        Nobody waits for a Redis that is known to answer too late, or not at all: renewals find out when it does.
        """
        soon = self._states.answers_soon or side is self.writing
        if soon and breaker.admits(side.breaker, self._clock.monotonic()):
            return True
        self.counts.skipped += 1
        return False

    def failed(self, side: Side, error: BaseException) -> None:
        """Redis has not done what it was asked for."""
        chosen = self.settings
        self.counts.failures += 1
        side.breaker = breaker.failed(side.breaker, self._clock.monotonic(), chosen.max_failures, chosen.open_s)
        trouble = self._states.met(error)
        other = self.writing if side is self.reading else self.reading
        if trouble is Trouble.AWAY and not other.breaker.trying:  # as good as tried
            other.breaker = side.breaker
