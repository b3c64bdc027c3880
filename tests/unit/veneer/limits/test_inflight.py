from __future__ import annotations

from veneer.core.overload import LEAST_RETRY_S, MOST_RETRY_S
from veneer.limits.inflight import InFlight


def test_refuses_beyond_the_bound_and_recovers() -> None:
    guard = InFlight(2)
    fullness: list[bool] = []
    for _ in range(2):
        fullness.append(guard.full)
        guard.take()
    assert [*fullness, guard.full] == [False, False, True]
    assert (guard.take(), guard.active) == (False, 2)
    guard.give_back()
    assert (guard.take(), guard.active) == (True, 2)


def test_a_bound_that_is_lowered_lets_go_on_what_goes_on() -> None:
    guard = InFlight(2)
    guard.take()
    guard.take()
    guard.most = 1
    fullness: list[bool] = []
    for _ in range(2):
        fullness.append(guard.full)
        guard.give_back()
    assert [*fullness, guard.full] == [True, True, False]


def test_no_bound_still_counts() -> None:
    guard = InFlight(None)
    for _ in range(2):
        guard.take()
    assert guard.active == 2
    assert not guard.full


def test_who_is_refused_is_told_to_come_back_when_those_before_him_have_been_answered() -> None:
    guard = InFlight(1)
    assert guard.retry_s(100.0) == LEAST_RETRY_S, "nothing is known yet"
    told = 0.0
    for number in range(200):  # a hundred are refused in a second, and ten end
        if number % 10 == 0:
            guard.take_anyhow()
            guard.give_back()
        told = guard.retry_s(100.0 + number / 100)
    assert told == 10.0


def test_where_nothing_ends_it_is_long_and_later_nothing_is_known_again() -> None:
    guard = InFlight(1)
    assert [guard.retry_s(at_s) for at_s in (100.0, 101.0)] == [LEAST_RETRY_S, MOST_RETRY_S]
    assert guard.retry_s(110.0) == LEAST_RETRY_S
