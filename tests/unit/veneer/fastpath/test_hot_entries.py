"""Ages and lifetimes as a hit tells them."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from veneer.core.forwarding import age_line
from veneer.fastpath.hot_entries import _digits, _rounded


@given(st.integers(-5, 10_000_000))
@example(999)
@example(1_000)
@example(999_999)
@example(1_000_000)
def test_numbers_are_written_as_anywhere(number: int) -> None:
    assert _digits(number) == b"%d" % number


@given(st.floats(0, 1e9) | st.integers(0, 10_000).map(lambda half: half / 2))
def test_an_age_is_rounded_as_the_pipeline_does(age_s: float) -> None:
    assert ("Age", str(_rounded(age_s))) == age_line(age_s)
