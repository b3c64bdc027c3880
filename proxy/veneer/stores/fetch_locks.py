"""One upstream fetch per key across nodes: whoever has the lock fetches, the others are told when it is released."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Callable, Sequence
from typing import Final

from veneer.loop.tasks import Tasks
from veneer.ports import Clock, FetchLock, LockAttempt, LockReleased
from veneer.redis.script import FAILURES, RedisCaller, Reply, Script
from veneer.redis.states import RedisStates
from veneer.stores.extensions import Extensions
from veneer.stores.held_lock import DIGEST_BYTES, HeldLock, LockSettings, RedisLockAttempt
from veneer.stores.key_order import KeyOrder

_LOCK: Final = Script.load("taking", "lock")
_UNLOCK = Script.load("releasing", "unlock")
_EXTEND_LOCK: Final = Script.load("extend_lock")
_STORED: Final = "+"
_NOT_STORED: Final = "-"


class FreeLock:
    """A lock that nobody gave and nobody waits for."""

    def release(self, *, stored: bool, varies: Sequence[str] = ()) -> None:
        """Nothing to give back."""


class LocalLocks:
    """FetchLocks of a node that is alone: each lock is free."""

    alone = True
    """Nobody else takes locks."""

    def attempt(self, key: str, group: str) -> None:  # noqa: ARG002 - alone
        """None: there is nothing to take along."""
        return

    def taken(self, attempt: LockAttempt) -> FetchLock | None:  # noqa: ARG002 - there are no attempts
        """None: nothing was taken along."""
        return None

    async def acquire(
        self,
        key: str,  # noqa: ARG002 - alone
        group: str,  # noqa: ARG002
        wait_s: float,  # noqa: ARG002
        *,
        again: bool = False,  # noqa: ARG002
        attempt: LockAttempt | None = None,  # noqa: ARG002
    ) -> FetchLock | LockReleased:
        """At once."""
        return FreeLock()


class RedisLocks:
    """FetchLocks shared through Redis: a token with an expiry, in the slot of its cache key.

    `announce` tells every node that a lock is released; their `on_released` is called with the same text. When Redis
    fails the lock is free for everybody, and so it is when a fetch brought nothing that can be shared.
    """

    alone = False
    """Others take locks as well."""

    def __init__(
        self,
        redis: RedisCaller,
        clock: Clock,
        announce: Callable[[str], None],
        tasks: Tasks,
        settings: LockSettings | None = None,
        states: RedisStates | None = None,
    ) -> None:
        self._redis = redis
        self._clock = clock
        self.tasks = tasks
        self._announce = announce
        self.settings = settings or LockSettings()
        self._states = states or RedisStates(clock.monotonic)
        self._waiting: dict[str, dict[RedisLockAttempt, None]] = {}
        self._node = secrets.token_hex(8)
        self._numbers = itertools.count()
        self._releasing = KeyOrder()
        self.extensions = Extensions()

    def token(self) -> str:
        """A text that no other lock of any node has as its token."""
        return f"{self._node}{next(self._numbers):x}"

    def listen(self, attempt: RedisLockAttempt) -> None:
        """Settle its `told` when the lock is released somewhere."""
        waiting = self._waiting.get(attempt.digest)
        if waiting is None:
            self._waiting[attempt.digest] = {attempt: None}
        else:
            waiting[attempt] = None

    def leave(self, attempt: RedisLockAttempt) -> None:
        """The end of `listen`."""
        waiting = self._waiting.get(attempt.digest)
        if waiting is not None:
            waiting.pop(attempt, None)
            if not waiting:
                del self._waiting[attempt.digest]

    def on_released(self, notice: str) -> None:
        """A lock was released somewhere, its fetch stored or not: wake those who wait for it here."""
        digest, told_of_it = notice[: 2 * DIGEST_BYTES], notice[2 * DIGEST_BYTES :]
        released = _released(told_of_it.removeprefix(_STORED)) if told_of_it.startswith(_STORED) else None
        for attempt in self._waiting.get(digest, ()):
            if attempt.told is not None and not attempt.told.done():
                attempt.told.set_result(released)

    def attempt(self, key: str, group: str) -> RedisLockAttempt:
        """The lock of `group`, to be taken along by a look-up of `key`."""
        return RedisLockAttempt(self, key, group)

    def taken(self, attempt: LockAttempt) -> FetchLock | None:
        """The lock, where the look-up that has taken it along got it."""
        if not isinstance(attempt, RedisLockAttempt) or attempt.left_ms != 0:
            return None
        attempt.forget()
        return HeldLock(self, attempt)

    async def acquire(
        self, key: str, group: str, wait_s: float, *, again: bool = False, attempt: LockAttempt | None = None
    ) -> FetchLock | LockReleased:
        """The lock of `group`, or word that another node's fetch is over, so that it is worth looking again.

        After `wait_s` it is free anyway. `again` says that a fetch stored just now was of no use. `attempt` is what a
        look-up has taken along, of this group or another one.
        """
        if isinstance(attempt, RedisLockAttempt) and attempt.group == group and attempt.left_ms is not None:
            asked = attempt
        else:
            if attempt is not None:
                attempt.drop()
            asked = self.attempt(key, group)
            asked.begin()
        try:
            return await self._acquire(asked, self._clock.monotonic() + wait_s, again=again)
        except FAILURES:
            return FreeLock()
        except BaseException:
            asked.give_up()
            raise
        finally:
            asked.forget()

    async def _acquire(self, asked: RedisLockAttempt, deadline: float, *, again: bool) -> FetchLock | LockReleased:
        left_ms: Reply = asked.left_ms
        while True:
            if left_ms is None and not self._states.answers_soon:
                return FreeLock()
            if left_ms is None:
                arguments = (asked.token, asked.first_held_ms, int(again))
                left_ms = await _LOCK.run(self._redis, (asked.name,), arguments, self.settings.timeout_s)
            if left_ms == 0:
                return HeldLock(self, asked)
            if not isinstance(left_ms, int):
                return _released(left_ms.decode("utf-8", "replace") if isinstance(left_ms, bytes) else "")
            left_s = deadline - self._clock.monotonic()
            assert asked.told is not None
            asked.waits = True
            await asyncio.wait((asked.told,), timeout=max(0.0, min(left_s, left_ms / 1000)))
            asked.waits = False
            if asked.told.done():
                return asked.told.result() or FreeLock()
            if self._clock.monotonic() >= deadline:
                return FreeLock()
            left_ms = None

    def unlock(self, lock: RedisLockAttempt, *, stored: bool, varies: Sequence[str] = ()) -> None:
        """The fetch is over. Where that cannot be told the lock expires."""
        self._unlock(lock, round(self.settings.remembered_s * 1000) if stored else 0, stored=stored, varies=varies)

    def _unlock(self, lock: RedisLockAttempt, remembered_ms: int, *, stored: bool, varies: Sequence[str]) -> None:
        def told(reply: Reply | Exception) -> None:
            if isinstance(reply, int) and reply > 0:
                self.announce(lock.digest, stored=stored, varies=varies)
            self._releasing.done(lock.token)

        def start() -> None:
            arguments = (lock.token, remembered_ms, ",".join(varies))
            _UNLOCK.call(self._redis, (lock.name,), arguments, self.settings.timeout_s, told)

        self._releasing.add(lock.token, start)

    async def settled(self) -> None:
        """Wait until Redis has heard of all locks that were given back, or has not answered for too long."""
        await self._releasing.settled()

    def pass_on(self, lock: RedisLockAttempt) -> None:
        """Give a lock that was not used to who waits for it in this process, else back.

        Those who wait look again then, as after a fetch that was stored: one of them takes the lock.
        """
        for attempt in self._waiting.get(lock.digest, ()):
            if attempt.waits and attempt.told is not None and not attempt.told.done():
                attempt.told.set_result(HeldLock(self, lock))
                return
        self._unlock(lock, 0, stored=True, varies=())

    def announce(self, group: str, *, stored: bool, varies: Sequence[str]) -> None:
        """Tell those who wait for the lock of the group, here and at every other node."""
        notice = group + (_STORED + ",".join(varies) if stored else _NOT_STORED)
        self.on_released(notice)
        self._announce(notice)

    async def extend(self, lock: RedisLockAttempt) -> bool:
        """Hold the lock for another `held_s`; whether it was still held, as far as can be told."""
        chosen = self.settings
        try:
            arguments = (lock.token, round(chosen.held_s * 1000))
            held = await _EXTEND_LOCK.run(self._redis, (lock.name,), arguments, chosen.timeout_s)
        except FAILURES:
            return True
        return held == 1


def _released(varies: str) -> LockReleased:
    return LockReleased(tuple(name for name in varies.split(",") if name))
