"""A fetch that the fast path leads, and who waits there for what it brings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from veneer.pipeline.coalesce import Complete, Flight
from veneer.ports import LeasedConnection

MAX_WAIT_S: Final = 0.1
"""Who has waited for so long on the fast path waits on in the pipeline, by the rules that hold there."""


class FastFlight(Flight):
    """A flight that a miss of the fast path leads.

    Once it has ended with something stored, `raw` is the response as it came, `upstream_us` what the backend took for
    it, and, while those are told who wait, `lease` leads to where it came from.
    """

    __slots__ = ("_timer", "_told", "lease", "raw", "upstream_us")

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self._told: list[Callable[[], None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self.lease: LeasedConnection | None = None
        self.raw = b""
        self.upstream_us = 0

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

    def share(self, outcome: Complete, raw: bytes, upstream_us: int, lease: LeasedConnection) -> None:
        """Tell everybody what it has brought."""
        self.raw, self.upstream_us, self.lease = raw, upstream_us, lease
        self.resolve(outcome)
        self.let_go()
        self.lease = None  # which may refer to this, as what its request is made for

    def let_go(self) -> None:
        """Tell those who wait on the fast path."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._told = self._told, []
        for over in waiting:
            over()
