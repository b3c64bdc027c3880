"""A guard on how much goes on at once: it refuses instead of queueing."""

from __future__ import annotations


class InFlight:
    """Counts what goes on; None means no bound. The bound may be changed at any time; what goes on already goes on."""

    def __init__(self, most: int | None) -> None:
        self.most = most
        self.active = 0

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
