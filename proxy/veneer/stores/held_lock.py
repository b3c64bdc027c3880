"""The lock of a fetch, from the moment it is asked for until it is given back."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from veneer.core.remembered import memoised
from veneer.loop.tasks import TaskGroupClosedError, Tasks
from veneer.ports import LockReleased
from veneer.redis.keys import lock_key
from veneer.stores.extensions import Extensions

DIGEST_BYTES: Final = 16
NOT_TAKEN: Final = -1
"""What a look-up says of a lock that was not to be taken, or could not."""


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=DIGEST_BYTES).hexdigest()


digest_of: Final = memoised(_digest, 512)
"""What stands for a cache key, or a group of requests for it, in the names of keys and in notices. While it is looked
up, fetched and stored, each is asked for several times."""


@dataclass(frozen=True, slots=True)
class LockSettings:
    """`held_s` bounds how long a leader that died keeps the others waiting; `remembered_s` outlasts a lookup.

    `timeout_s` is for one call. It is longer than a lookup's: who asks for a lock is prepared to wait.
    A lock is first given for no longer than that. What was asked for before a route was lost may reach Redis when it is
    mended: a lock given to who has long given up on it would else hold up every node.
    """

    timeout_s: float = 1.0
    held_s: float = 3.0
    remembered_s: float = 2.0

    @property
    def first_held_s(self) -> float:
        """How long a lock is held that has not been extended yet."""
        return min(self.timeout_s, self.held_s)


Released: TypeAlias = "LockReleased | HeldLock | None"
"""Word to who waits for a lock: its fetch is stored, the lock itself, or that nothing came of it."""


class LockTable(Protocol):
    """What the locks of a node need of it."""

    @property
    def settings(self) -> LockSettings:
        """Bounds."""
        ...

    @property
    def tasks(self) -> Tasks:
        """For what extends a lock."""
        ...

    @property
    def extensions(self) -> Extensions:
        """When those that are held are due."""
        ...

    def token(self) -> str:
        """A text that no other lock of any node has as its token."""
        ...

    def listen(self, attempt: RedisLockAttempt) -> None:
        """Settle its `told` when the lock is released somewhere."""
        ...

    def leave(self, attempt: RedisLockAttempt) -> None:
        """The end of `listen`."""
        ...

    def unlock(self, lock: RedisLockAttempt, *, stored: bool, varies: Sequence[str] = ()) -> None:
        """Give the lock back."""
        ...

    def pass_on(self, lock: RedisLockAttempt) -> None:
        """Give a lock that was not used to who waits for it in this process, else back: one of the others takes it."""
        ...

    def announce(self, group: str, *, stored: bool, varies: Sequence[str]) -> None:
        """Tell those who wait for it."""
        ...

    async def extend(self, lock: RedisLockAttempt) -> bool:
        """Hold the lock for another `held_s`; whether it was still held, as far as can be told."""
        ...


class RedisLockAttempt:
    """A lock that is asked for: `key` is the cache key whose fetch it is, `group` who may share that fetch.

    Who asks for it in a look-up says `begin` and then `answered`. Whoever made it `drop`s it, or has it made into a
    `HeldLock`. It hears of releases from `begin` on, so that none is missed between the answer and the wait.
    """

    __slots__ = ("_dropped", "_locks", "digest", "group", "key", "left_ms", "name", "token", "told", "waits")

    def __init__(self, locks: LockTable, key: str, group: str) -> None:
        self._locks = locks
        self.key = key
        self.group = group
        self.left_ms: int | None = None
        """0 where the lock is ours, else what its holder has left; None where that is not known."""
        self.told: asyncio.Future[Released] | None = None
        self.waits = False
        """Whether somebody waits for `told`, and would take the lock from it."""
        self._dropped = False
        self.token = self.name = self.digest = ""

    @property
    def first_held_ms(self) -> int:
        """How long it is to be held at first."""
        return round(self._locks.settings.first_held_s * 1000)

    def begin(self) -> None:
        """It is about to be asked for."""
        self.digest = digest_of(self.group)
        self.name = lock_key(digest_of(self.key), self.digest)
        self.token = self._locks.token()
        self.told = asyncio.get_running_loop().create_future()
        self._locks.listen(self)

    def answered(self, left_ms: int) -> None:
        """What Redis has said; NOT_TAKEN where it has not."""
        if left_ms >= 0:
            self.left_ms = left_ms
        if self._dropped and left_ms == 0:
            self._locks.pass_on(self)

    def drop(self) -> None:
        """It is not needed. Idempotent; nothing happens once it was made into a lock that is held."""
        if self._dropped:
            return
        self.forget()
        if self.left_ms == 0:
            self._locks.pass_on(self)

    def forget(self) -> None:
        """Hear of releases no more: somebody else answers for it."""
        self._dropped = True
        if self.told is not None:
            self._locks.leave(self)

    def give_up(self) -> None:
        """Who has waited for it has stopped to: where it was given the lock meanwhile, that goes back."""
        if self.told is not None and self.told.done():
            released = self.told.result()
            if isinstance(released, HeldLock):
                released.release(stored=False)


class HeldLock:
    """A lock that others may be waiting for. While the fetch goes on it is extended, each time after a third of it."""

    __slots__ = ("_held", "_locks", "attempt")

    def __init__(self, locks: LockTable, attempt: RedisLockAttempt) -> None:
        self._locks = locks
        self.attempt = attempt
        self._held = True
        locks.extensions.add(self, locks.settings.first_held_s / 3)

    def hand_over(self) -> bool:
        """Whether it is still to be given back: the caller does that from now on."""
        held, self._held = self._held, False
        if held:
            self._locks.extensions.discard(self)
        return held

    def release(self, *, stored: bool, varies: Sequence[str] = ()) -> None:
        """Give it back, and tell those who wait."""
        if self.hand_over():
            self._locks.unlock(self.attempt, stored=stored, varies=varies)

    def unlock(self, *, stored: bool, varies: Sequence[str]) -> None:
        """As `release`, for who it was handed over to."""
        self._locks.unlock(self.attempt, stored=stored, varies=varies)

    def announce(self, *, stored: bool, varies: Sequence[str]) -> None:
        """It has been given back, and somebody waits for it."""
        self._locks.announce(self.attempt.digest, stored=stored, varies=varies)

    @property
    def remembered_ms(self) -> int:
        """How long it is remembered that its fetch was stored."""
        return round(self._locks.settings.remembered_s * 1000)

    def due(self) -> None:
        """Extend it, in a task."""
        with suppress(TaskGroupClosedError):
            self._locks.tasks.start(self._extend(), "extend a fetch lock")

    async def _extend(self) -> None:
        if await self._locks.extend(self.attempt) and self._held:
            self._locks.extensions.add(self, self._locks.settings.held_s / 3)
