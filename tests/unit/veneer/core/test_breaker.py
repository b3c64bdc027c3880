"""The breaker's arithmetic."""

from __future__ import annotations

from veneer.core.breaker import Breaker, abandoned, admits, begun, failed, succeeded


def fail(breaker: Breaker, now: float) -> Breaker:
    return failed(breaker, now, max_failures=3, open_s=10.0)


def opened() -> Breaker:
    breaker = Breaker()
    for _ in range(3):
        assert admits(breaker, 0.0)
        breaker = fail(begun(breaker), 0.0)
    return breaker


def test_failures_in_a_row_open_it() -> None:
    assert not admits(opened(), 9.9)


def test_a_success_between_failures_keeps_it_closed() -> None:
    breaker = fail(fail(Breaker(), 0.0), 0.0)
    breaker = fail(fail(succeeded(), 0.0), 0.0)
    assert admits(breaker, 0.0)


def test_after_its_time_one_request_may_try() -> None:
    breaker = opened()
    assert admits(breaker, 10.0)
    assert not admits(begun(breaker), 10.0)


def test_a_try_in_vain_opens_it_again_and_a_good_one_closes_it() -> None:
    trying = begun(opened())
    again = fail(trying, 10.0)
    assert not admits(again, 19.9)
    assert admits(again, 20.0)
    assert admits(succeeded(), 10.0)


def test_an_abandoned_try_lets_the_next_one_try() -> None:
    assert admits(abandoned(begun(opened())), 10.0)
    assert abandoned(Breaker(failures=2)) == Breaker(failures=2)


def test_failures_of_requests_from_before_do_not_prolong_it() -> None:
    breaker = opened()
    assert fail(breaker, 5.0) == breaker
