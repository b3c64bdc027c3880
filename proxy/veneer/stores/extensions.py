"""When locks that are held have to be extended: one timer for all of them."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol


class Extensible(Protocol):
    """A lock that is held."""

    def due(self) -> None:
        """It has to be extended now."""
        ...


class Extensions:
    """The locks that are held, and when each is due. Most are given back long before that."""

    def __init__(self) -> None:
        self._due_s: Final[dict[Extensible, float]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._due_s)

    def add(self, lock: Extensible, delay_s: float) -> None:
        """Tell the lock after so many seconds, or a little later: no sooner than what was added before it."""
        loop = asyncio.get_running_loop()
        due_s = self._due_s[lock] = loop.time() + delay_s
        if self._timer is None:
            self._timer = loop.call_at(due_s, self._look)

    def discard(self, lock: Extensible) -> None:
        """The lock is given back, or lost."""
        self._due_s.pop(lock, None)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        due = [lock for lock, due_s in self._due_s.items() if due_s <= now_s]
        for lock in due:
            del self._due_s[lock]
        self._timer = loop.call_at(min(self._due_s.values()), self._look) if self._due_s else None
        for lock in due:
            lock.due()
