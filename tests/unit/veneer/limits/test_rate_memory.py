from __future__ import annotations

from tests.support.clock import ManualClock
from veneer.core.rate import RateLimit, RateVerdict, client_key
from veneer.limits.rate_memory import MemoryRates

LIMIT = RateLimit("p", 60, 60, 3)


def now(rates: MemoryRates, client: str, limit: RateLimit) -> RateVerdict:
    return rates.admit_now(client_key(limit, client), limit, rates._monotonic())


def test_burst_then_one_a_second() -> None:
    clock = ManualClock()
    rates = MemoryRates(clock)
    assert [now(rates, "a", LIMIT).allowed for _ in range(4)] == [True, True, True, False]
    clock.advance(now(rates, "a", LIMIT).retry_after_s)
    assert now(rates, "a", LIMIT).allowed
    assert not now(rates, "a", LIMIT).allowed


def test_a_stepped_wall_clock_changes_nothing() -> None:
    clock = ManualClock()
    rates = MemoryRates(clock)
    for _ in range(3):
        now(rates, "a", LIMIT)
    clock.step(-100_000)
    assert now(rates, "a", LIMIT).retry_after_s == 1
    clock.step(200_000)
    assert now(rates, "a", LIMIT).retry_after_s == 1


def test_worked_off_clients_make_room() -> None:
    clock = ManualClock()
    rates = MemoryRates(clock, most_clients=1_000)
    for number in range(5_000):
        clock.advance(0.1)
        assert now(rates, f"c{number}", LIMIT).allowed
    assert len(rates) < 30  # ten new clients a second, each with a second of backlog
    assert rates.forgotten == 0


def test_never_more_clients_than_asked_for() -> None:
    rates = MemoryRates(ManualClock(), most_clients=100)
    for number in range(1_000):
        now(rates, f"c{number}", LIMIT)
    assert len(rates) == 100
    assert rates.forgotten == 900


def test_a_busy_client_is_not_the_one_forgotten_while_others_are_idle() -> None:
    clock = ManualClock()
    rates = MemoryRates(clock, most_clients=10)
    for number in range(50):
        for _ in range(2):
            now(rates, "busy", LIMIT)
        clock.advance(1)
        now(rates, f"c{number}", LIMIT)
    assert not all(now(rates, "busy", LIMIT).allowed for _ in range(3))


def test_long_clients_do_not_fill_memory_and_stay_apart() -> None:
    rates = MemoryRates(ManualClock())
    limit = RateLimit("p", 1, 60, 1)
    assert now(rates, "x" * 10_000 + "1", limit).allowed
    assert now(rates, "x" * 10_000 + "2", limit).allowed
    assert not now(rates, "x" * 10_000 + "1", limit).allowed
