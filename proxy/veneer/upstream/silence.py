"""How long a backend may say nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class ReadTimer:
    """Counts one connection's silence. Its timer looks at the latest deadline instead of moving with each byte.

    `too_long` is called when `limit_s` have passed since the last byte.
    """

    __slots__ = ("_at", "_looks_at", "_loop", "_timer", "_too_long", "_usual_s", "limit_s")

    def __init__(self, usual_s: float, loop: asyncio.AbstractEventLoop, too_long: Callable[[], None]) -> None:
        self.limit_s = self._usual_s = usual_s
        self._loop = loop
        self._too_long = too_long
        self._at: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._looks_at = 0.0

    def allow(self, limit_s: float | None) -> None:
        """How long it may last in the next exchange; None for as long as usual."""
        self.limit_s = limit_s or self._usual_s

    def extend(self, limit_s: float) -> None:
        """For the rest of this exchange it may last so long, unless it might last longer anyhow."""
        if limit_s > self.limit_s:
            self.limit_s = limit_s
            self.heard()

    def begin(self) -> None:
        """From now on silence counts."""
        at = self._at = self._loop.time() + self.limit_s
        if self._timer is not None and self._looks_at > at:
            self._timer.cancel()  # left by an exchange that might be silent for longer
            self._timer = None
        if self._timer is None:
            self._look_at(at)

    def heard(self) -> None:
        """Something came."""
        if self._at is not None:
            self._at = self._loop.time() + self.limit_s

    def end(self) -> None:
        """Silence counts no more."""
        self._at = None

    def close(self) -> None:
        """Stop the timer and let go of who waits for it, for good."""
        self._at = None
        self._too_long = _nothing
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_at(self, moment: float) -> None:
        self._looks_at = moment
        self._timer = self._loop.call_at(moment, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._at is None:
            return
        if self._loop.time() < self._at:
            self._look_at(self._at)
        else:
            self._too_long()


def _nothing() -> None:
    """Nobody waits any more."""
