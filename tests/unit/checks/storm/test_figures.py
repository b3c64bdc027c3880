"""What counts as met, and what a quantile is."""

from __future__ import annotations

import math

from checks.storm.figures import Figure, at_least, at_most, quantile


def test_a_bar_bounds_one_way_and_its_limit_meets_it() -> None:
    assert [at_most(2).met(value) for value in (1, 2, 3)] == [True, True, False]
    assert [at_least(2).met(value) for value in (1, 2, 3)] == [False, True, True]


def test_what_was_not_measured_misses_its_bar() -> None:
    assert Figure("case", "veneer", "name", math.nan, at_most(5)).missed
    assert Figure("case", "veneer", "name", math.nan, at_least(5)).missed
    assert not Figure("case", "veneer", "name", math.nan).missed
    assert "MISSED" in str(Figure("case", "veneer", "name", math.nan, at_most(5)))


def test_a_quantile_is_a_value_that_was_seen() -> None:
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert [quantile(values, share) for share in (0, 0.5, 0.99, 1.0)] == [1.0, 3.0, 5.0, 5.0]
    assert math.isnan(quantile([], 0.5))
