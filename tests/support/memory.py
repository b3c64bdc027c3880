"""The peak memory of another process while something happens."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

_SAMPLE_EVERY_S = 0.02


class Peak:
    """Resident bytes of a process and of its children: at the start, and the most seen since."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.before = self._resident()
        self.most = self.before

    @property
    def growth(self) -> int:
        """How much more than at the start, in bytes."""
        return self.most - self.before

    def sample(self) -> None:
        """Look once."""
        self.most = max(self.most, self._resident())

    def _resident(self) -> int:
        family = (self._process, *self._process.children(recursive=True))
        return sum(int(process.memory_info().rss) for process in family)


@contextmanager
def peak_memory(pid: int) -> Iterator[Peak]:
    """Sample the process until the block ends."""
    peak, done = Peak(pid), threading.Event()

    def watch() -> None:
        while not done.wait(_SAMPLE_EVERY_S):
            peak.sample()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()
