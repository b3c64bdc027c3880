"""Who waits for what on one connection: the timer of a silent backend, a backend that is held back, and wakers."""

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

    def set_limit(self, limit_s: float | None) -> None:
        """How long silence may last in the next exchange; None for as long as usual."""
        self.limit_s = limit_s or self._usual_s

    def extend(self, limit_s: float) -> None:
        """For the rest of this exchange it may last so long, unless it might last longer anyhow."""
        if limit_s > self.limit_s:
            self.limit_s = limit_s
            self.touch()

    def begin(self) -> None:
        """From now on silence counts."""
        at = self._at = self._loop.time() + self.limit_s
        if self._timer is not None and self._looks_at > at:
            self._timer.cancel()  # left by an exchange that might be silent for longer
            self._timer = None
        if self._timer is None:
            self._look_at(at)

    def touch(self) -> None:
        """A byte has come: where silence counts, it begins anew."""
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


class ReadFlow:
    """Whether the backend may send: what is held back does not count as silent.

    `timed` tells whether it is the backend's turn: the request is sent, and its response is not whole.
    """

    __slots__ = ("paused", "timed", "timer", "transport")

    def __init__(self, timer: ReadTimer) -> None:
        self.timer = timer
        self.transport: asyncio.Transport | None = None
        self.paused = False
        self.timed = False

    def expect(self) -> None:
        """From now on something is due."""
        self.timed = True
        if not self.paused:
            self.timer.begin()

    def expect_nothing(self) -> None:
        """Nothing is due any more."""
        self.timed = False
        self.timer.end()

    def pause(self) -> None:
        """Hold the backend back."""
        transport = self.transport
        if not self.paused and transport is not None and not transport.is_closing():
            self.paused = True
            self.timer.end()
            transport.pause_reading()

    def resume(self) -> None:
        """Let it go on."""
        if self.paused and self.transport is not None:
            self.paused = False
            self.transport.resume_reading()
            if self.timed:
                self.timer.begin()

    def close(self) -> None:
        """The transport is closed."""
        self.timed = False
        self.timer.close()
        self.transport = None


class Waker:
    """Wakes the one who waits."""

    __slots__ = ("_loop", "_waiter")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiter: asyncio.Future[None] | None = None

    def wait(self) -> asyncio.Future[None]:
        """Done at the next `wake`. In place of the future that was given out before."""
        waiter = self._waiter = self._loop.create_future()
        return waiter

    def wake(self) -> None:
        """Let who waits look again."""
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)
