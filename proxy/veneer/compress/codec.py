"""Content codings without holding up the event loop."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

from veneer.compress.coders import coding as coding_named
from veneer.ports import StreamEncoder

IDLE_NICENESS = 10
"""A tenth of what others get where they compete. No less: a thread that starves while it takes over the interpreter
would make the event loop wait for it."""


@dataclass(frozen=True, slots=True)
class CodecSettings:
    """Bodies of at most `inline_bytes` are coded at once, larger ones (and slow levels) in one of `threads` threads.

    With a quick level it is `quick_inline_bytes`: what takes less than a millisecond is not worth a change of threads.
    """

    inline_bytes: int = 16 * 1024
    quick_inline_bytes: int = 64 * 1024
    threads: int = 2


class _LeveledCoding(NamedTuple):
    """How a coding is made at one level; bodies of at most `inline_bytes` at once, none where that is negative."""

    encode: Callable[[bytes, int], bytes]
    level: int
    inline_bytes: int


class Codecs:
    """veneer.ports.Codec. A level that a coding lacks means its nearest. Close it at the end."""

    def __init__(self, settings: CodecSettings | None = None) -> None:
        self._settings = settings or CodecSettings()
        self._ways: dict[tuple[str, int], _LeveledCoding] = {}
        self._threads = ThreadPoolExecutor(self._settings.threads, thread_name_prefix="compress")
        # Waiting happens here, in requests that can be cancelled, and not in the executor's queue.
        self._places = asyncio.Semaphore(self._settings.threads)
        self._idle_thread = ThreadPoolExecutor(1, thread_name_prefix="compress-idle", initializer=_stand_back)

    async def encode(self, coding: str, level: int, body: bytes) -> bytes:
        """The whole body coded; the same bytes in every process.

        Raises ValueError for an unknown coding.
        """
        coded = self.encode_now(coding, level, body)
        if coded is not None:
            return coded
        way = self._way(coding, level)
        async with self._places:
            return await asyncio.get_running_loop().run_in_executor(self._threads, way.encode, body, way.level)

    def encode_now(self, coding: str, level: int, body: bytes) -> bytes | None:
        """The same bytes at once; None where that would take too long for an event loop.

        Raises ValueError for an unknown coding.
        """
        way = self._ways.get((coding, level)) or self._way(coding, level)
        return way.encode(body, way.level) if len(body) <= way.inline_bytes else None

    def _way(self, coding: str, level: int) -> _LeveledCoding:
        """How a coding is made at the nearest level there is. Raises ValueError for an unknown coding."""
        how, settings = coding_named(coding), self._settings
        nearest = how.levels.nearest(level)
        inline_bytes = settings.quick_inline_bytes if nearest <= how.levels.quick_to else settings.inline_bytes
        if nearest >= how.levels.slow_from:
            inline_bytes = -1
        way = self._ways[coding, level] = _LeveledCoding(how.encode, nearest, inline_bytes)
        return way

    async def encode_hardest(self, coding: str, body: bytes) -> bytes:
        """The whole body coded as hard as the coding can, in one thread of low priority that needs no interpreter.

        Raises ValueError for an unknown coding.
        """
        how = coding_named(coding)
        return await asyncio.get_running_loop().run_in_executor(self._idle_thread, how.encode, body, how.levels.highest)

    def hardest(self, coding: str) -> int:
        """The level of `encode_hardest`. Raises ValueError for an unknown coding."""
        return coding_named(coding).levels.highest

    def stream(self, coding: str, level: int) -> StreamEncoder:
        """A new encoder for one body.

        Raises ValueError for an unknown coding.
        """
        how = coding_named(coding)
        return how.stream(how.levels.nearest(level))

    async def aclose(self) -> None:
        """Drop what waits, let what runs end."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._idle_thread.shutdown(wait=False, cancel_futures=True)


def _stand_back() -> None:
    """Let other threads have the processor first. Only Linux counts niceness by thread."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), IDLE_NICENESS)
