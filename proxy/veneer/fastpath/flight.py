"""A fetch that the fast path leads, and who waits there for what it brings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from veneer.pipeline.coalesce import Complete, Flight

MAX_WAIT_S: Final = 0.1
"""Who has waited for so long on the fast path waits on in the pipeline, by the rules that hold there."""


class FastFlight(Flight):
    """A flight that a miss of the fast path leads.

    Once it has ended with something stored, `raw` is the response as it came.
    """

    __slots__ = ("_timer", "_told", "raw")

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self._told: list[Callable[[], None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self.raw = b""

    @property
    def awaited(self) -> bool:
        """Whether anybody waits for the outcome, here or in the pipeline."""
        return self.followed or bool(self._told)

    def call_when_over(self, over: Callable[[], None], within_s: float) -> None:
        """Have `over` called, once: when it has ended, is the pipeline's, or has taken longer than it may.

        Who waits has joined until then, and leaves by itself.
        """
        self.join()
        self._told.append(over)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(min(within_s, MAX_WAIT_S), self.let_go)

    def share(self, outcome: Complete, raw: bytes) -> None:
        """Tell everybody what it has brought."""
        self.raw = raw
        self.resolve(outcome)
        self.let_go()

    def let_go(self) -> None:
        """Tell those who wait on the fast path."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._told = self._told, []
        for over in waiting:
            over()
