"""Which lines of the access log are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_FIRST_ERROR: Final = 400


@dataclass(frozen=True, slots=True)
class LineSampling:
    """Shares, from 0 to 1, of the lines of `hits` (what needed no request of its own to a backend) and of `others`.

    What took at least `slow_ms` milliseconds is written whatever it was.
    """

    hits: float = 1.0
    others: float = 1.0
    slow_ms: float = 1000.0

    @property
    def writes_all(self) -> bool:
        """Whether nothing is left out."""
        return self.hits >= 1 and self.others >= 1

    def is_slow(self, took_ms: float) -> bool:
        """Whether a line is written for its duration alone."""
        return took_ms >= self.slow_ms

    def share(self, *, is_hit: bool, status: int) -> float:
        """The share of the lines that are not slow that is written; 1 for errors: each status from 400 on, and none."""
        if not 100 <= status < _FIRST_ERROR:
            return 1.0
        return self.hits if is_hit else self.others
