"""The time, injected."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """The time, injected."""

    def now(self) -> float:
        """Seconds since the epoch: for dates and ages."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back: for durations and leases."""
        ...
