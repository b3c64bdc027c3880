"""Long reads: places for few of them, and the feed that carries rows from a database thread to a coroutine."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from etter.errors import UnavailableError

Batch = Sequence[Row[Any]]
_RETRY_SECONDS = 10
_KEPT_BATCHES = 2


@dataclass(frozen=True, slots=True)
class StreamBounds:
    """How many streams run at once, in all and of one owner, and how long one may last (seconds)."""

    total: int
    each: int
    seconds: float


class StreamPlaces:
    """Places for streams. What one owner does with its own never costs another one a place of the last ones.

    Used on the event loop alone.
    """

    def __init__(self, bounds: StreamBounds) -> None:
        self._bounds = bounds
        self._taken: Counter[int] = Counter()

    @contextmanager
    def take(self, owner: int) -> Iterator[None]:
        """Hold a place while the block runs. Raises UnavailableError where there is none."""
        if self._taken[owner] >= self._bounds.each:
            raise UnavailableError("Your company runs too many exports already", retry_after_seconds=_RETRY_SECONDS)
        if self._taken.total() >= self._bounds.total:
            raise UnavailableError("Too many exports are running", retry_after_seconds=_RETRY_SECONDS)
        self._taken[owner] += 1
        try:
            yield
        finally:
            self._taken[owner] -= 1
            if not self._taken[owner]:
                del self._taken[owner]


class Feed:
    """Carries batches from a database thread to a coroutine; either side may stop first.

    The thread never waits for the loop, which waits for the thread when everything stops.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._batches: asyncio.Queue[Batch | None] = asyncio.Queue()
        self._room = threading.Semaphore(_KEPT_BATCHES)
        self._loop = loop
        self._stopped = threading.Event()

    def put(self, batch: Batch | None) -> bool:
        """Hand over a batch, waiting for room; False when nobody listens any more. Called from the thread."""
        self._room.acquire()
        if self._stopped.is_set():
            return False
        try:
            self._loop.call_soon_threadsafe(self._batches.put_nowait, batch)
        except RuntimeError:  # the loop is closed
            return False
        return True

    async def take(self) -> Batch | None:
        """Return the next batch, None after the last."""
        batch = await self._batches.get()
        self._room.release()
        return batch

    def stop(self) -> None:
        """Stop listening; a thread that waits for room finds it, sees that it may end, and says so."""
        self._stopped.set()
        self._room.release(2)
