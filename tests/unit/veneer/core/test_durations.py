from __future__ import annotations

import pytest

from veneer.core.durations import BOUNDS_MS, DurationCounts


@pytest.mark.parametrize(
    ("duration_ms", "bucket"), [(0.0, 0), (0.25, 0), (0.2501, 1), (30_000.0, len(BOUNDS_MS) - 1), (1e9, len(BOUNDS_MS))]
)
def test_a_bucket_includes_its_bound(duration_ms: float, bucket: int) -> None:
    counts = DurationCounts()
    counts.observe(duration_ms)
    assert (counts.counts.index(1), sum(counts.counts), counts.sum_ms) == (bucket, 1, duration_ms)
