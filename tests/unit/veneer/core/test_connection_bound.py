"""How many connections a backend takes, before models of backends."""

from __future__ import annotations

from veneer.core.connection_bound import (
    FORGET_S,
    HOLD_S,
    LEAST,
    MOST_HOLD_S,
    SOON_S,
    SUSPECTED_S,
    ConnectionBound,
)

MOST = 256
STEP_S = 0.01
AGE_S = 0.001


def simulate(bound: ConnectionBound, takes: int, begin_s: float, seconds: float) -> tuple[int, int]:
    """More is asked for than the backend has connections for; how many it closed, and how many it has at the end.

    Its connections last. In each step as many more are opened as the bound allows, and what was closed is answered over
    another.
    """
    opened = closed = 0
    for step in range(int(seconds / STEP_S)):
        now_s = begin_s + step * STEP_S
        while opened < bound.at(now_s):
            if opened < takes:
                opened += 1
                continue
            closed += 1
            bound.suspect(opened, AGE_S, now_s)
            bound.confirmed(opened, now_s)
    return closed, opened


def test_hardly_any_is_closed_and_all_are_used_that_the_backend_takes() -> None:
    bound = ConnectionBound(MOST)
    assert simulate(bound, 240, 0.0, 1.0) == (1, 240)
    closed, opened = simulate(bound, 240, 1.0, 120.0)
    assert opened == 240
    assert closed <= 120 / MOST_HOLD_S + 5, "a hold lasts longer each time"


def test_a_backend_that_takes_more_again_gets_more() -> None:
    bound = ConnectionBound(MOST)
    simulate(bound, 100, 0.0, 1.0)
    assert simulate(bound, 1000, 1.0, HOLD_S + 4.0) == (0, MOST)


def test_long_after_the_last_time_a_hold_is_short_again() -> None:
    bound = ConnectionBound(MOST)
    simulate(bound, 100, 0.0, 60.0)
    later_s = 60.0 + MOST_HOLD_S + FORGET_S
    assert bound.confirmed(100, later_s)
    assert bound.at(later_s + HOLD_S) == 100
    assert bound.at(later_s + HOLD_S + 1.0) == 150


def test_a_burst_beyond_what_it_takes_is_cut_and_told_of_once() -> None:
    """All were opened before the first of them was closed."""
    bound = ConnectionBound(MOST)
    assert all(bound.suspect(others, AGE_S, 1.0) for others in range(255, 239, -1))
    assert bound.at(1.0) == MOST
    told = [bound.confirmed(others, 1.5) for others in range(255, 239, -1)]
    assert told == [True] + [False] * 15
    assert bound.at(1.5) == 240


def test_a_suspicion_that_nothing_comes_of_is_forgotten() -> None:
    bound = ConnectionBound(MOST)
    assert bound.suspect(100, AGE_S, 1.0)
    assert bound.at(1.0) == MOST, "it may be the request"
    assert bound.suspect(200, AGE_S, 1.0 + SUSPECTED_S)
    assert bound.confirmed(200, 2.5)
    assert bound.at(2.5) == 200, "the first one counts no more"


def test_where_few_are_open_nothing_is_suspected() -> None:
    bound = ConnectionBound(MOST)
    assert not bound.suspect(LEAST - 1, AGE_S, 1.0)
    assert bound.at(1.0) == MOST
    small = ConnectionBound(2)
    assert not small.suspect(1, AGE_S, 1.0)
    assert small.at(1.0) == 2


def test_work_that_is_given_up_after_a_while_tells_nothing() -> None:
    bound = ConnectionBound(MOST)
    assert not bound.suspect(100, SOON_S, 1.0)
    assert bound.at(1.0) == MOST
