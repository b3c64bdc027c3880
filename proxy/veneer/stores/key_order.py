"""Writes that nobody waits for, in the order in which they were given, as far as they are about one key."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

Start = Callable[[], None]
"""Begins one write; `KeyOrder.done` is called once when it is over, be it at once."""


class KeyOrder:
    """What is under way by key. Keys do not wait for each other. Of one loop."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[Start]] = {}
        self._idle: asyncio.Event | None = None

    def __len__(self) -> int:
        return len(self._queues)

    def busy(self, key: str) -> bool:
        """Whether a write about the key is under way."""
        return key in self._queues

    def add(self, key: str, start: Start) -> None:
        """Begin it now, or once what was given before it is over."""
        queue = self._queues.get(key)
        if queue is None:
            self._queues[key] = deque()
            start()
        else:
            queue.append(start)

    def done(self, key: str) -> None:
        """The write about the key that was begun is over: the next one begins, in another iteration of the loop."""
        queue = self._queues[key]
        if queue:
            asyncio.get_running_loop().call_soon(queue.popleft())
            return
        del self._queues[key]
        if not self._queues and self._idle is not None:
            self._idle.set()

    async def settled(self) -> None:
        """Wait until nothing is under way."""
        while self._queues:
            self._idle = asyncio.Event()
            await self._idle.wait()
