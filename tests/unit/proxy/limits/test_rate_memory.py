from __future__ import annotations

from proxy.core.rate import RateLimit
from proxy.limits.rate_memory import MemoryRates
from tests.support.clock import ManualClock

LIMIT = RateLimit("p", 60, 60, 3)


def test_burst_then_one_a_second() -> None:
    clock = ManualClock()
    rates = MemoryRates(clock)
    assert [rates.admit_now("a", LIMIT).allowed for _ in range(4)] == [True, True, True, False]
    clock.advance(rates.admit_now("a", LIMIT).retry_after_s)
    assert rates.admit_now("a", LIMIT).allowed
    assert not rates.admit_now("a", LIMIT).allowed


def test_a_stepped_wall_clock_changes_nothing() -> None:
    clock = ManualClock()
    rates = MemoryRates(clock)
    for _ in range(3):
        rates.admit_now("a", LIMIT)
    clock.step(-100_000)
    assert rates.admit_now("a", LIMIT).retry_after_s == 1
    clock.step(200_000)
    assert rates.admit_now("a", LIMIT).retry_after_s == 1


def test_worked_off_clients_make_room() -> None:
    clock = ManualClock()
    rates = MemoryRates(clock, most_clients=1_000)
    for number in range(5_000):
        clock.advance(0.1)
        assert rates.admit_now(f"c{number}", LIMIT).allowed
    assert len(rates) < 30  # ten new clients a second, each with a second of backlog
    assert rates.forgotten == 0


def test_never_more_clients_than_asked_for() -> None:
    rates = MemoryRates(ManualClock(), most_clients=100)
    for number in range(1_000):
        rates.admit_now(f"c{number}", LIMIT)
    assert len(rates) == 100
    assert rates.forgotten == 900


def test_a_busy_client_is_not_the_one_forgotten_while_others_are_idle() -> None:
    clock = ManualClock()
    rates = MemoryRates(clock, most_clients=10)
    for number in range(50):
        for _ in range(2):
            rates.admit_now("busy", LIMIT)
        clock.advance(1)
        rates.admit_now(f"c{number}", LIMIT)
    assert not all(rates.admit_now("busy", LIMIT).allowed for _ in range(3))


def test_long_clients_do_not_fill_memory_and_stay_apart() -> None:
    rates = MemoryRates(ManualClock())
    limit = RateLimit("p", 1, 60, 1)
    assert rates.admit_now("x" * 10_000 + "1", limit).allowed
    assert rates.admit_now("x" * 10_000 + "2", limit).allowed
    assert not rates.admit_now("x" * 10_000 + "1", limit).allowed
