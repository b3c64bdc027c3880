from __future__ import annotations

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
