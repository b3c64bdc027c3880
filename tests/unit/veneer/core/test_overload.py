"""When a queue stands, and when to come back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veneer.core.overload import (
    INTERVAL_S,
    LEAST_S,
    MOST_RETRY_S,
    TARGET_S,
    Pace,
    StandingQueue,
    overloaded_wait_s,
    retry_after_s,
)


def test_a_burst_is_no_standing_queue() -> None:
    queue = StandingQueue()
    assert not queue.observe(TARGET_S * 10, 1.0)
    assert not queue.observe(0.0, 1.0 + INTERVAL_S / 2)
    assert not queue.observe(TARGET_S * 10, 1.0 + INTERVAL_S)
    assert not queue.stands


def test_a_queue_whose_least_wait_stays_long_stands_until_few_are_refused() -> None:
    queue = StandingQueue()
    queue.observe(TARGET_S, 1.0)
    assert queue.observe(TARGET_S, 1.0 + INTERVAL_S)
    assert not queue.observe(TARGET_S, 2.0), "it has begun already"
    queue.observe_pace(50, 450, 3.0)
    assert queue.stands
    queue.observe_pace(50, 2, 3.0)
    assert [queue.stands, queue.observe(TARGET_S, 4.0)] == [False, False]


def test_it_stands_for_a_while_at_least() -> None:
    queue = StandingQueue()
    queue.observe(TARGET_S, 1.0)
    queue.observe(TARGET_S, 1.0 + INTERVAL_S)
    queue.observe_pace(50, 0, 1.0 + INTERVAL_S)
    assert queue.stands, "those who were refused are not counted yet"
    queue.observe_pace(50, 0, 1.1 + INTERVAL_S + LEAST_S)
    assert [queue.stands] == [False]


@given(st.lists(st.floats(0, TARGET_S, exclude_max=True), max_size=50))
def test_short_waits_never_make_it_stand(waits: list[float]) -> None:
    queue = StandingQueue()
    for number, wait_s in enumerate(waits):
        queue.observe(wait_s, float(number))
    assert not queue.stands


def test_a_queue_that_is_relieved_begins_anew() -> None:
    queue = StandingQueue()
    queue.observe(TARGET_S, 1.0)
    queue.relieved(1.0 + INTERVAL_S / 2)
    assert not queue.observe(TARGET_S, 1.0 + INTERVAL_S)


@pytest.mark.parametrize(("calm_s", "wait_s"), [(0.0, 0.03), (0.001, 0.01), (0.04, 0.02), (5.0, 0.03)])
def test_while_a_queue_stands_the_wait_is_less_than_the_backend_takes(calm_s: float, wait_s: float) -> None:
    assert overloaded_wait_s(calm_s) == wait_s


def test_the_pace_is_that_of_the_last_second() -> None:
    pace = Pace()
    for number in range(100):
        pace.count(10.0 + number / 100)
    assert pace.per_s(11.0) == pytest.approx(100)
    assert pace.per_s(11.5) == pytest.approx(50)
    assert pace.per_s(13.0) == 0


def test_who_is_refused_comes_back_when_all_who_are_could_be_answered() -> None:
    assert retry_after_s(0, 50, 0) == 1
    assert retry_after_s(100, 50, 0) == 2
    assert retry_after_s(0, 50, 450) == 9
    assert retry_after_s(7, 0, 0) == MOST_RETRY_S
    assert retry_after_s(0, 0, 0) == 1


@given(st.integers(0, 10**6), st.floats(0, 10**6), st.floats(0, 10**6))
def test_the_time_to_come_back_has_bounds(waiting: int, answered: float, refused: float) -> None:
    assert 1 <= retry_after_s(waiting, answered, refused) <= MOST_RETRY_S
