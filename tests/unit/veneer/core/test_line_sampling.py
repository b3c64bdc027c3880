from __future__ import annotations

import pytest

from veneer.core.line_sampling import LineSampling

FEW = LineSampling(hits=0.01, others=0.5, slow_ms=100.0)


@pytest.mark.parametrize(
    ("is_hit", "status", "share"),
    [
        (True, 200, 0.01),
        (True, 304, 0.01),
        (False, 200, 0.5),
        (False, 101, 0.5),
        (False, 399, 0.5),
        (True, 400, 1.0),
        (True, 404, 1.0),
        (False, 503, 1.0),
        (False, 0, 1.0),
    ],
)
def test_errors_are_told_always(is_hit: bool, status: int, share: float) -> None:
    assert FEW.share(is_hit=is_hit, status=status) == share


def test_what_is_slow_is_told_always() -> None:
    assert [FEW.is_slow(took_ms) for took_ms in (0.0, 99.9, 100.0, 1e9)] == [False, False, True, True]


def test_all_is_written_unless_one_share_is_less_than_all() -> None:
    assert LineSampling(slow_ms=1.0).writes_all
    assert not LineSampling(hits=0.99).writes_all
    assert not LineSampling(others=0.0).writes_all
