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

    def share(self, *, is_hit: bool, status: int, took_ms: float) -> float:
        """The share of the lines like this one that is written; 1 for errors, which is every status from 400 on."""
        if took_ms >= self.slow_ms or not 100 <= status < _FIRST_ERROR:
            return 1.0
        return self.hits if is_hit else self.others
