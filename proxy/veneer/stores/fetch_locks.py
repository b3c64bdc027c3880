"""One upstream fetch per key across nodes: whoever has the lock fetches, the others are told when it is released."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from veneer.loop.tasks import TaskGroupClosedError, Tasks
from veneer.ports import Clock, FetchLock, LockReleased
from veneer.redis.keys import lock_key
from veneer.redis.script import FAILURES, RedisCaller, Script

_LOCK = Script.load("lock")
_UNLOCK = Script.load("unlock")
_EXTEND_LOCK = Script.load("extend_lock")
_STORED, _NOT_STORED = "+", "-"
_DIGEST_BYTES = 16


class FreeLock:
    """A lock that nobody gave and nobody waits for."""

    async def release(self, *, stored: bool, varies: Sequence[str] = ()) -> None:
        """Nothing to give back."""


class LocalLocks:
    """FetchLocks of a node that is alone: each lock is free."""

    alone = True
    """Nobody else takes locks."""

    async def acquire(self, key: str, wait_s: float, *, again: bool = False) -> FetchLock | LockReleased:  # noqa: ARG002 - alone
        """At once."""
        return FreeLock()


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


class RedisLocks:
    """FetchLocks shared through Redis: a token with an expiry, one key and so one slot for each cache key.

    `announce` tells every node that a lock is released; their `on_released` is called with the same text. When Redis
    fails the lock is free for everybody, and so it is when a fetch brought nothing that can be shared.
    """

    alone = False
    """Others take locks as well."""

    def __init__(
        self,
        redis: RedisCaller,
        clock: Clock,
        announce: Callable[[str], Awaitable[None]],
        tasks: Tasks,
        settings: LockSettings | None = None,
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._tasks = tasks
        self._announce = announce
        self._settings = settings or LockSettings()
        self._waiting: dict[str, set[asyncio.Future[LockReleased | None]]] = {}

    def on_released(self, notice: str) -> None:
        """A lock was released somewhere, its fetch stored or not: wake those who wait for it here."""
        digest, told_of_it = notice[: 2 * _DIGEST_BYTES], notice[2 * _DIGEST_BYTES :]
        released = _released(told_of_it.removeprefix(_STORED)) if told_of_it.startswith(_STORED) else None
        for told in self._waiting.get(digest, ()):
            if not told.done():
                told.set_result(released)

    async def acquire(self, key: str, wait_s: float, *, again: bool = False) -> FetchLock | LockReleased:
        """The lock of `key`, or word that another node's fetch is over, so that it is worth looking again.

        After `wait_s` it is free anyway. `again` says that a fetch stored just now was of no use.
        """
        digest = hashlib.blake2b(key.encode("utf-8", "surrogateescape"), digest_size=_DIGEST_BYTES).hexdigest()
        told: asyncio.Future[LockReleased | None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(digest, set())
        waiting.add(told)
        try:
            return await self._acquire(digest, self._clock.monotonic() + wait_s, told, again=again)
        except FAILURES:
            return FreeLock()
        finally:
            waiting.discard(told)
            if not waiting:
                self._waiting.pop(digest, None)

    async def _acquire(
        self, digest: str, deadline: float, told: asyncio.Future[LockReleased | None], *, again: bool
    ) -> FetchLock | LockReleased:
        token = secrets.token_hex(8)
        chosen = self._settings
        while True:
            arguments = (token, round(chosen.first_held_s * 1000), int(again))
            reply = await _LOCK.run(self._redis, (self._name(digest),), arguments, chosen.timeout_s)
            if reply == 0:
                return _HeldLock(self, digest, token, self._tasks, chosen)
            if not isinstance(reply, int):
                return _released(reply.decode("utf-8", "replace") if isinstance(reply, bytes) else "")
            left_s = deadline - self._clock.monotonic()
            try:
                async with asyncio.timeout(max(0.0, min(left_s, reply / 1000))):
                    return await asyncio.shield(told) or FreeLock()
            except TimeoutError:
                if self._clock.monotonic() >= deadline:
                    return FreeLock()

    async def unlock(self, digest: str, token: str, *, stored: bool, varies: Sequence[str] = ()) -> None:
        """The fetch is over. Where that cannot be told the lock expires."""
        chosen = self._settings
        remembered_ms = round(chosen.remembered_s * 1000) if stored else 0
        try:
            names = ",".join(varies)
            arguments = (token, remembered_ms, names)
            waiting = await _UNLOCK.run(self._redis, (self._name(digest),), arguments, chosen.timeout_s)
        except FAILURES:
            return
        if isinstance(waiting, int) and waiting > 0:
            await self._announce(digest + (_STORED + names if stored else _NOT_STORED))

    async def extend(self, digest: str, token: str) -> bool:
        """Hold the lock for another `held_s`; whether it was still held, as far as can be told."""
        chosen = self._settings
        try:
            arguments = (token, round(chosen.held_s * 1000))
            held = await _EXTEND_LOCK.run(self._redis, (self._name(digest),), arguments, chosen.timeout_s)
        except FAILURES:
            return True
        return held == 1

    def _name(self, digest: str) -> str:
        return lock_key(digest)


def _released(varies: str) -> LockReleased:
    return LockReleased(tuple(name for name in varies.split(",") if name))


class _HeldLock:
    """A lock that others may be waiting for. While the fetch goes on it is extended, each time after a third of it."""

    __slots__ = ("_digest", "_every_s", "_locks", "_tasks", "_timer", "_token")

    def __init__(self, locks: RedisLocks, digest: str, token: str, tasks: Tasks, settings: LockSettings) -> None:
        self._locks = locks
        self._digest = digest
        self._token = token
        self._tasks = tasks
        self._every_s = settings.held_s / 3
        self._timer: asyncio.TimerHandle | None = None
        self._after(settings.first_held_s / 3)

    async def release(self, *, stored: bool, varies: Sequence[str] = ()) -> None:
        """Give it back, and tell those who wait."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await self._locks.unlock(self._digest, self._token, stored=stored, varies=varies)

    def _after(self, delay_s: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._due)

    def _due(self) -> None:
        with suppress(TaskGroupClosedError):
            self._tasks.start(self._extend(), "extend a fetch lock")

    async def _extend(self) -> None:
        if await self._locks.extend(self._digest, self._token) and self._timer is not None:
            self._after(self._every_s)
