"""How many connections a backend takes at once, learnt from new ones that it ends unanswered. Pure.

A server that is out of descriptors, threads or memory cannot refuse a connection: its system has taken it already. So
it closes it at once, and goes on with those that it has. A request that makes it close its connection looks the same:
so this is only a suspicion, until that request is answered over one of the others. From then on no more are opened than
there were besides; after a while, longer each time, the bound rises again until one more is closed. `now_s` is a
monotonic reading.
"""

from __future__ import annotations

import math
from typing import Final

LEAST: Final = 8
"""Whoever has fewer is not full: it is being restarted, or fails otherwise."""
SOON_S: Final = 1.0
"""Whoever is full closes a connection before that; later it is work that was given up."""
SUSPECTED_S: Final = 1.0
"""Of what is closed within that time the last one says best how many there may be."""
HOLD_S: Final = 1.0
MOST_HOLD_S: Final = 16.0
"""For so long the bound stands, the first time and after many in a row."""
FORGET_S: Final = 60.0
"""What happens so long after the last time is the first time again."""
GROWTH_PER_S: Final = 0.5
"""After that it rises by this share of it in each second."""


class ConnectionBound:
    """The bound for one backend, `most` at most."""

    __slots__ = ("_bound", "_hold_s", "_most", "_since_s", "_suspected", "_suspected_until_s")

    def __init__(self, most: int) -> None:
        self._most = self._bound = self._suspected = most
        self._hold_s = self._since_s = 0.0
        self._suspected_until_s = -math.inf

    def at(self, now_s: float) -> int:
        """How many may be open now."""
        if self._bound == self._most:
            return self._most
        free_s = now_s - self._since_s - self._hold_s
        if free_s <= 0.0:
            return self._bound
        return min(self._bound + int(self._bound * GROWTH_PER_S * free_s), self._most)

    def suspect(self, others: int, age_s: float, now_s: float) -> bool:
        """A connection was closed in its first exchange, `age_s` after it was opened, while `others` were open.

        Whether the backend may be full.
        """
        if age_s >= SOON_S or not LEAST <= others < self._most:
            return False
        self._suspected = min(others, self._suspected) if now_s < self._suspected_until_s else others
        self._suspected_until_s = now_s + SUSPECTED_S
        return True

    def confirmed(self, others: int, now_s: float) -> bool:
        """What was closed while `others` were open was answered over one of them; whether that is news."""
        before, passed_s = self.at(now_s), now_s - self._since_s
        if now_s < self._suspected_until_s:
            others = min(others, self._suspected)
        if others >= before:
            return False
        is_news = passed_s >= self._hold_s
        if is_news:
            again = self._hold_s and passed_s < FORGET_S
            self._hold_s = min(2 * self._hold_s, MOST_HOLD_S) if again else HOLD_S
            self._since_s = now_s
        self._bound = others
        return is_news
