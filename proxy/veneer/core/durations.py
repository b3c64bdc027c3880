"""Durations counted by size, for percentiles that can be added up over processes and nodes."""

from __future__ import annotations

from typing import Final

BOUNDS_MS: Final[tuple[float, ...]] = (
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1_000.0,
    2_500.0,
    5_000.0,
    10_000.0,
    30_000.0,
)
"""Upper bounds of the buckets: a hit takes less than the first, a hopeless wait more than the last.

Of no stated length on purpose: compiled, a constant tuple of numbers is not seen as set by other modules.
"""


class DurationCounts:
    """How many durations fell into each bucket of BOUNDS_MS (the last one, of all that are longer, is open)."""

    __slots__ = ("counts", "sum_ms")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_MS) + 1)
        self.sum_ms = 0.0

    def observe(self, duration_ms: float) -> None:
        """Count one."""
        self.sum_ms += duration_ms
        for bucket, bound_ms in enumerate(BOUNDS_MS):
            if duration_ms <= bound_ms:
                self.counts[bucket] += 1
                return
        self.counts[-1] += 1
