from __future__ import annotations

import pytest

from veneer.core.line_sampling import LineSampling

FEW = LineSampling(hits=0.01, others=0.5, slow_ms=100.0)


@pytest.mark.parametrize(
    ("is_hit", "status", "took_ms", "share"),
    [
        (True, 200, 1.0, 0.01),
        (True, 304, 99.9, 0.01),
        (False, 200, 1.0, 0.5),
        (False, 101, 1.0, 0.5),
        (True, 200, 100.0, 1.0),
        (False, 399, 1.0, 0.5),
        (True, 400, 1.0, 1.0),
        (True, 404, 1.0, 1.0),
        (False, 503, 1.0, 1.0),
        (False, 0, 1.0, 1.0),
    ],
)
def test_errors_and_what_is_slow_are_told_always(is_hit: bool, status: int, took_ms: float, share: float) -> None:
    assert FEW.share(is_hit=is_hit, status=status, took_ms=took_ms) == share


def test_all_is_written_unless_one_share_is_less_than_all() -> None:
    assert LineSampling(slow_ms=1.0).writes_all
    assert not LineSampling(hits=0.99).writes_all
    assert not LineSampling(others=0.0).writes_all
