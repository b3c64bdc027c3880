"""When a queue before a backend is one that does not end, and when it is worth while to come back. Pure.

A queue that takes up a burst is good, one that stands only makes everybody wait: CoDel (RFC 8289) tells them apart by
the least waiting time over an interval. What follows is by B. Maurer, "Fail at Scale" (ACM Queue 13:8, 2015): from then
on requests may wait but shortly, and the newest goes first, for its client is there the most surely.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from veneer.core.retry_budget import RetryWrites

TARGET_S: Final = 0.2
"""Waiting longer than this is more than a burst, if it lasts."""
INTERVAL_S: Final = 0.3
OVERLOADED_WAIT_S: Final = 0.03
"""So long a request may wait at most while the queue stands: whoever is refused is to know at once."""
OVERLOADED_LEAST_S: Final = 0.01
"""So long at least: places become free by turns of this process."""
LEAST_S: Final = 1.0
FEW: Final = 0.1
"""So small a share of refusals is no overload."""
LEAST_RETRY_S: Final = 1.0
MOST_RETRY_S: Final = 60.0


class Priority(IntEnum):
    """Which requests go first where not all can."""

    CRITICAL = 0
    NORMAL = 1
    BACKGROUND = 2


PRIORITIES: Final = {"critical": Priority.CRITICAL, "normal": Priority.NORMAL, "background": Priority.BACKGROUND}
"""By their names in policies."""


@dataclass(frozen=True, slots=True)
class Claim:
    """On what terms an exchange with the backend is asked for: for which `route`, and how urgently.

    `waits` is whether it may wait where the backend has enough to do. Requests of one route are alike: their latencies
    are compared, and they share a part of what the backend takes. `retry_writes` says which may be sent twice.
    """

    route: str = ""
    priority: Priority = Priority.NORMAL
    waits: bool = True
    retry_writes: RetryWrites = RetryWrites.NEVER


ANY_CLAIM: Final = Claim()
"""Of who says nothing."""


def in_background(claim: Claim) -> Claim:
    """The same for what nobody waits for."""
    return Claim(claim.route, Priority.BACKGROUND)


class StandingQueue:
    """Whether the queue stands: the wait of its oldest has not been under TARGET_S for INTERVAL_S.

    It does for LEAST_S at least, and until hardly anybody is refused any more: that it is empty for a moment says
    nothing where answers come by the dozen.
    """

    __slots__ = ("_over_since_s", "_stands_since_s", "stands")

    def __init__(self) -> None:
        self.stands = False
        self._over_since_s = self._stands_since_s = 0.0

    def observe(self, oldest_wait_s: float, now_s: float) -> bool:
        """See how long the oldest has waited; whether the queue has begun to stand."""
        if self.stands:
            return False
        if oldest_wait_s < TARGET_S:
            self._over_since_s = 0.0
        elif self._over_since_s == 0.0:
            self._over_since_s = now_s
        elif now_s - self._over_since_s >= INTERVAL_S:
            self.stands = True
            self._stands_since_s = now_s
        return self.stands

    def relieved(self, now_s: float) -> None:
        """Nobody waits, or there are more places than before: a queue that comes now is another one."""
        self.observe(0.0, now_s)

    def observe_pace(self, answered_per_s: float, refused_per_s: float, now_s: float) -> None:
        """See how many are refused beside those who are answered."""
        if self.stands and now_s - self._stands_since_s >= LEAST_S and refused_per_s <= FEW * answered_per_s:
            self.stands = False
            self._over_since_s = 0.0


class Pace:
    """How many there were per second, by those of the last whole second and of this one."""

    __slots__ = ("_before", "_count", "_since_s")

    def __init__(self) -> None:
        self._before = 0.0
        self._count = 0
        self._since_s = 0.0

    def count(self, now_s: float) -> None:
        """There was one."""
        if now_s - self._since_s >= 1.0:
            self._advance(now_s)
        self._count += 1

    def per_s(self, now_s: float) -> float:
        """How many per second."""
        self._advance(now_s)
        return self._before * (1.0 - (now_s - self._since_s)) + self._count

    def _advance(self, now_s: float) -> None:
        passed_s = now_s - self._since_s
        if passed_s >= 1.0:
            self._before = float(self._count) if passed_s < 2.0 else 0.0
            self._count = 0
            self._since_s = now_s - passed_s % 1.0


def overloaded_wait_s(calm_s: float) -> float:
    """How long a request may wait while the queue stands, before a backend that takes so long while it is calm.

    0 is not known. Half of that: the wait comes on top of a latency that is about twice the calm one then.
    """
    return min(max(calm_s / 2, OVERLOADED_LEAST_S), OVERLOADED_WAIT_S) if calm_s else OVERLOADED_WAIT_S


def retry_after_s(waiting: int, answered_per_s: float, refused_per_s: float) -> float:
    """When the backend will have answered those who wait, and those who are refused within a second and come back.

    So the clients come back over a time within which it can answer them. LEAST_RETRY_S to MOST_RETRY_S.
    """
    answered_per_s = max(answered_per_s, 1.0 / MOST_RETRY_S)
    return min(max(math.ceil((waiting + refused_per_s) / answered_per_s), LEAST_RETRY_S), MOST_RETRY_S)
