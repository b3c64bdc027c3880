"""Blocking work off the event loop: a fixed number of threads and a bounded number of waiting callers."""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from etter.errors import UnavailableError

T = TypeVar("T")


class Workers:
    """Threads that run functions for coroutines. Callers beyond the bounds get a 503, never an endless wait."""

    def __init__(self, name: str, *, threads: int, wait_seconds: float, max_waiting: int, busy: str) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._slots = asyncio.Semaphore(threads)
        self._wait_seconds = wait_seconds
        self._max_waiting = max_waiting
        self._busy = busy
        self.waiting = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` in a thread, in a copy of the caller's context; raise UnavailableError when all are busy."""
        return await asyncio.wrap_future(await self.submit(work))

    async def submit(self, work: Callable[[], T]) -> Future[T]:
        """Start `work` as soon as a thread is free and return at once."""
        await self._take_slot()
        loop = asyncio.get_running_loop()
        try:
            future: Future[T] = self._executor.submit(contextvars.copy_context().run, work)
        except RuntimeError:
            self._slots.release()
            raise UnavailableError("The service is stopping", retry_after_seconds=1) from None
        # Released when the thread is done, not when its caller stops waiting: a cancelled request still holds
        # its connection until PostgreSQL answers.
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._slots.release))
        return future

    def close(self) -> None:
        """Wait for running work; start none of the rest."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def exhausted(self) -> UnavailableError:
        """Make the error for a caller that finds everything busy."""
        return UnavailableError(self._busy, retry_after_seconds=1)

    async def _take_slot(self) -> None:
        if self.waiting >= self._max_waiting:
            raise self.exhausted()
        self.waiting += 1
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._slots.acquire()
        except TimeoutError:
            raise self.exhausted() from None
        finally:
            self.waiting -= 1
