"""Background tasks: the only maker of tasks. Each is named, kept, bounded and reported."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")
logger = logging.getLogger(__name__)


class TaskGroupClosedError(RuntimeError):
    """A task was offered after `aclose` began."""


class Tasks:
    """Keeps background tasks alive until they end, logs the ones that fail, and cancels the rest on close."""

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._running: set[asyncio.Task[Any]] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._running)

    @property
    def full(self) -> bool:
        """Whether the bound is reached; optional work is then left undone."""
        return len(self._running) >= self._limit

    def start(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Run `work` in the background under `name`.

        Raises TaskGroupClosedError once closing has begun.
        """
        if self._closed:
            work.close()
            raise TaskGroupClosedError(name)
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if task.cancelled():
            forget_frames(task)
        elif (error := task.exception()) is not None:
            logger.error("task %s failed", task.get_name(), exc_info=error)

    async def aclose(self) -> None:
        """Cancel what still runs and wait until it has ended."""
        self._closed = True
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def anew(error: Exception) -> Exception:
    """The same error without the frames that it came through: to be kept, or raised to several who wait.

    What is kept would else keep those frames alive; see `forget_frames`. For errors made of their `args` alone.
    """
    return type(error)(*error.args)


def forget_frames(task: asyncio.Task[Any]) -> None:
    """Make a task that was cancelled let go of where that was.

    A task keeps the exception that ended it, with the frames it came through. These refer to all that was under way,
    and often to the task: a cycle that keeps the body of an answer alive until the collector comes round, seldom.
    """
    with suppress(asyncio.CancelledError):
        task.exception()
