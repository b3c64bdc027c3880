"""A guard on how much goes on at once: it refuses instead of queueing."""

from __future__ import annotations

from typing import Final

from veneer.core.overload import LEAST_RETRY_S, Pace, retry_after_s

_WINDOW_S: Final = 1.0
"""Over so long it is counted how many end."""


class InFlight:
    """Counts what goes on; None means no bound. The bound may be changed at any time; what goes on already goes on."""

    def __init__(self, most: int | None) -> None:
        self.most = most
        self.active = 0
        self._ended = self._ended_before = 0
        self._ended_per_s = -1.0  # not known
        self._since_s = 0.0
        self._refusals = Pace()

    @property
    def full(self) -> bool:
        """Whether there is no place."""
        return self.most is not None and self.active >= self.most

    def take(self) -> bool:
        """Take a place; False where there is none."""
        if self.most is not None and self.active >= self.most:
            return False
        self.active += 1
        return True

    def take_anyhow(self) -> None:
        """Take a place, be there one or not: for what went on meanwhile without, and ends now."""
        self.active += 1

    def give_back(self) -> None:
        """Give a place back that was taken before."""
        self.active -= 1
        self._ended += 1

    def retry_s(self, now_s: float) -> float:
        """When one who is refused now may come back: by how many end in a second, and how many are refused.

        `now_s` is monotonic. While there are refusals it is counted anew each second; before that nothing is known.
        """
        self._refusals.count(now_s)
        passed_s = now_s - self._since_s
        if passed_s >= _WINDOW_S:
            self._ended_per_s = (self._ended - self._ended_before) / passed_s if passed_s < 2 * _WINDOW_S else -1.0
            self._since_s, self._ended_before = now_s, self._ended
        if self._ended_per_s < 0:
            return LEAST_RETRY_S
        return retry_after_s(0, self._ended_per_s, self._refusals.per_s(now_s))
