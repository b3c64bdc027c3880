"""A clock that stands still until told to go on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class ManualClock:
    """veneer.ports.Clock for tests. Both readings go on together; `step` moves only the wall clock."""

    wall_s: float = 1_795_000_000.0
    monotonic_s: float = 1_000.0

    def now(self) -> float:
        return self.wall_s

    def monotonic(self) -> float:
        return self.monotonic_s

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self.wall_s += seconds
        self.monotonic_s += seconds

    def step(self, seconds: float) -> None:
        """Set the wall clock forward or back, as an operator or NTP would."""
        self.wall_s += seconds
