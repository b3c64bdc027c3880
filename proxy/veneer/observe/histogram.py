"""Durations of one process, as they travel to the supervisor and into the metrics."""

from __future__ import annotations

from bisect import bisect_left

import msgspec

from veneer.core.durations import BOUNDS_MS, DurationCounts


class Histogram(msgspec.Struct):
    """Durations: how many fell into each bucket of BOUNDS_MS (the last one is open), and their sum."""

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS_MS) + 1))
    sum_ms: float = 0.0

    @classmethod
    def of(cls, durations: DurationCounts) -> Histogram:
        """What another room has counted, as it is now."""
        return cls(list(durations.counts), durations.sum_ms)

    def observe(self, duration_ms: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BOUNDS_MS, duration_ms)] += 1
        self.sum_ms += duration_ms

    def add(self, other: Histogram) -> None:
        """Count everything that another one counted."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.sum_ms += other.sum_ms
