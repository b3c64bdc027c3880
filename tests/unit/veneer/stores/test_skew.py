"""A node's clock against Redis': what is known of it, what is told, and that nothing seems younger by it."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.entries import stored
from veneer.core.entry import Entry, Position
from veneer.stores.skew import AGREES_S, ClockSkew

T = 1_700_000_000.0
BORN = Position("e", 1)


def skewed(ahead_s: float, there_s: float = 0.002, back_s: float = 0.002) -> ClockSkew:
    """That of a node so far ahead, measured by a call that took so long on each way."""
    skew = ClockSkew(lambda: T)
    skew.measured(T, int((T + there_s - ahead_s) * 1000), T + there_s + back_s)
    return skew


@pytest.mark.parametrize("ahead_s", [3600.0, -3600.0, 0.5, -0.5])
def test_it_is_measured(ahead_s: float) -> None:
    assert skewed(ahead_s).skew_s == pytest.approx(ahead_s, abs=0.01)


@pytest.mark.parametrize("ahead_s", [0.0, 0.05, -0.05])
def test_clocks_that_agree_change_nothing(ahead_s: float) -> None:
    entry = stored(BORN)
    skew = skewed(ahead_s)
    assert (skew.as_in_redis(entry), skew.as_here(entry)) == (entry, entry)
    assert skew.skew_s == 0


def test_it_is_told_with_its_size_once_and_when_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    skew = ClockSkew(lambda: T)
    for ahead_s in (0.9, 3600.0, 3601.0, -7200.0, 0.6, 0.0, 0.0):
        skew.measured(T, int((T - ahead_s) * 1000), T)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert "3600.0 s ahead of Redis" in told[0]
    assert "agrees" in told[1]


def test_a_clock_that_is_set_back_meanwhile_measures_nothing() -> None:
    skew = skewed(3600.0)
    skew.measured(T, int(T * 1000), T - 10)
    assert skew.skew_s == pytest.approx(3600.0, abs=0.01)


durations = st.floats(0.0, 1.0)
skews = st.floats(-1e5, 1e5)


@given(skews, skews, durations, durations, durations, durations)
def test_an_entry_of_another_node_never_seems_younger_than_it_is(
    one_s: float, other_s: float, there_s: float, back_s: float, there_too_s: float, back_too_s: float
) -> None:
    """Both nodes have received it at the same moment, by clocks that differ."""
    one, other = skewed(one_s, there_s, back_s), skewed(other_s, there_too_s, back_too_s)
    received: Entry = stored(BORN, received=T + one_s)
    seen = other.as_here(one.as_in_redis(received))
    assert seen.response_time <= T + other_s + 2 * AGREES_S + there_s + back_s + there_too_s + back_too_s
    if min(abs(one_s), abs(other_s)) > 5:
        assert seen.response_time <= T + other_s + 1e-5
        assert seen.response_time >= T + other_s - (there_s + back_s + there_too_s + back_too_s) - 0.01
