"""The limit before models of backends: each request that finds no place waits, the newest goes first."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veneer.core.concurrency import INITIAL, MAX_KINDS, ConcurrencyLimit

WAIT_S = 0.05


@dataclass
class Backend:
    """So many workers, each of which takes so long for a request of a kind; what they cannot take waits in it."""

    workers: Callable[[float], int]
    takes_s: Callable[[str, float], float]


@dataclass
class Run:
    """What came of it: the ends and latencies of what was answered, the limit over time, and how many were refused."""

    answered: list[tuple[float, float]] = field(default_factory=list)
    limits: list[tuple[float, int]] = field(default_factory=list)
    refused: int = 0

    def per_s(self, begin_s: float, end_s: float) -> float:
        return sum(begin_s <= at < end_s for at, _ in self.answered) / (end_s - begin_s)

    def latency_s(self, share: float, begin_s: float, end_s: float) -> float:
        found = sorted(latency for at, latency in self.answered if begin_s <= at < end_s)
        return found[int(len(found) * share)]

    def mean_limit(self, begin_s: float, end_s: float) -> float:
        found = [limit for at, limit in self.limits if begin_s <= at < end_s]
        return sum(found) / len(found)


def simulate(
    backend: Backend,
    offered: Callable[[float], float],
    *,
    seconds: float = 40.0,
    kinds: str = "a",
    most: int = 256,
    wait_s: float = WAIT_S,
) -> Run:
    """Poisson arrivals, `offered` of them per second at a time, of kinds at random."""
    chance, numbers = random.Random(7), itertools.count()
    limit, run = ConcurrencyLimit(most), Run()
    events: list[tuple[float, int, tuple[str, float, int, float] | None]] = [(0.0, next(numbers), None)]
    waiting: list[tuple[float, str]] = []
    inside: list[tuple[str, float, int, float]] = []
    there = busy = 0

    def send(came_s: float, kind: str, now_s: float) -> None:
        nonlocal there
        there += 1
        inside.append((kind, now_s, there, came_s))

    while events[0][0] < seconds:
        now_s, _, ended = heapq.heappop(events)
        if ended is None:
            heapq.heappush(events, (now_s + chance.expovariate(offered(now_s)), next(numbers), None))
            kind = chance.choice(kinds)
            if there < limit.limit:
                send(now_s, kind, now_s)
            else:
                limit.reached(now_s)
                waiting.append((now_s, kind))
        else:
            kind, sent_s, among, came_s = ended
            there, busy = there - 1, busy - 1
            limit.answered(kind, now_s - sent_s, among, now_s)
            run.answered.append((now_s, now_s - came_s))
            while waiting and there < limit.limit:
                came_s, kind = waiting.pop()
                if now_s - came_s > wait_s:
                    run.refused += 1 + len(waiting)
                    waiting.clear()
                else:
                    send(came_s, kind, now_s)
        while inside and busy < backend.workers(now_s):
            job = inside.pop(0)
            busy += 1
            heapq.heappush(events, (now_s + backend.takes_s(job[0], now_s), next(numbers), job))
        run.limits.append((now_s, limit.limit))
    return run


def steady(workers: int, takes_s: float) -> Backend:
    return Backend(lambda _now_s: workers, lambda _kind, _now_s: takes_s)


@pytest.mark.no_cover
@pytest.mark.parametrize(("workers", "takes_s"), [(2, 0.04), (5, 0.1), (10, 0.2), (100, 0.1)])
def test_ten_times_too_much_is_done_as_fast_as_can_be(workers: int, takes_s: float) -> None:
    capacity = workers / takes_s
    run = simulate(steady(workers, takes_s), lambda _now_s: 10 * capacity)
    assert run.per_s(5, 40) >= 0.9 * capacity
    assert workers * 0.9 <= run.mean_limit(10, 40) <= 2 * workers + 3
    assert run.latency_s(0.5, 10, 40) <= 3.1 * takes_s


def test_a_backend_that_does_one_at_a_time_is_found_out() -> None:
    run = simulate(steady(1, 0.02), lambda _now_s: 500)
    assert run.per_s(5, 40) >= 45
    assert run.mean_limit(10, 40) < 3


@pytest.mark.parametrize(("workers", "takes_s"), [(1, 0.02), (2, 0.02), (2, 0.04)])
def test_a_storm_on_a_small_backend_is_over_for_those_it_takes_within_two_seconds(workers: int, takes_s: float) -> None:
    capacity = workers / takes_s
    begins_s, wait_s = 3.0, takes_s / 2  # as `core.overload.overloaded_wait_s` has it
    run = simulate(steady(workers, takes_s), lambda now_s: 5 if now_s < begins_s else 10 * capacity, wait_s=wait_s)
    assert run.latency_s(0.99, begins_s + 2, 40) < 3 * takes_s
    assert run.per_s(begins_s + 2, 40) >= 0.9 * capacity


@pytest.mark.parametrize("quick_first", [True, False])
def test_a_storm_after_calm_is_not_taken_for_calm(quick_first: bool) -> None:
    """The first of a storm wait for each other while few are there yet; some calm answers were quicker by nature."""
    backend = Backend(lambda _now_s: 1, lambda _kind, now_s: 0.001 if quick_first and now_s < 1 else 0.02)
    run = simulate(backend, lambda now_s: 20 if now_s < 1 else 5 if now_s < 5 else 500)
    assert run.per_s(7, 40) >= 45
    assert run.mean_limit(7, 40) < 2.6
    assert run.latency_s(0.99, 15, 40) <= 3.2 * 0.02


@pytest.mark.no_cover
def test_a_capacity_that_halves_and_comes_back_is_followed() -> None:
    backend = Backend(lambda now_s: 5 if 20 < now_s < 40 else 10, lambda _kind, _now_s: 0.1)
    run = simulate(backend, lambda _now_s: 500, seconds=60)
    assert run.per_s(5, 20) >= 90
    assert run.per_s(20, 40) >= 45
    assert run.per_s(40, 60) >= 90
    assert run.mean_limit(25, 40) < 0.7 * run.mean_limit(10, 20)
    assert run.mean_limit(45, 60) > 1.4 * run.mean_limit(25, 40)


@pytest.mark.no_cover
def test_a_backend_that_becomes_slower_by_nature_is_not_starved() -> None:
    backend = Backend(lambda _now_s: 10, lambda _kind, now_s: 0.2 if now_s > 20 else 0.1)
    run = simulate(backend, lambda _now_s: 500, seconds=60)
    assert run.per_s(25, 60) >= 45


def test_a_backend_that_starts_slowly_is_used_once_it_is_warm() -> None:
    backend = Backend(lambda _now_s: 20, lambda _kind, now_s: 0.1 + max(0.0, 10 - now_s) / 10)
    run = simulate(backend, lambda _now_s: 100, seconds=60, wait_s=5.0)
    assert run.per_s(20, 60) >= 95
    assert run.latency_s(0.99, 20, 60) <= 0.2


@pytest.mark.no_cover
@pytest.mark.parametrize("slow", [1, 5, 19])
@pytest.mark.parametrize("apart", [True, False])
def test_fast_and_slow_responses_look_like_no_queue(slow: int, *, apart: bool) -> None:
    """Whether they are of one kind or of two: the backend has room for all, and all are sent."""
    chance = random.Random(3)

    def takes_s(kind: str, _now_s: float) -> float:
        return 0.5 if (kind == "s" if apart else chance.random() < slow / 20) else 0.005

    run = simulate(
        Backend(lambda _now_s: 10**6, takes_s), lambda _now_s: 100, kinds="s" * slow + "f" * (20 - slow), wait_s=1.0
    )
    assert run.refused == 0
    assert run.latency_s(0.99, 5, 40) <= 0.6


@pytest.mark.no_cover
def test_a_burst_for_a_backend_that_can_take_it_is_let_through() -> None:
    run = simulate(steady(10**6, 0.05), lambda now_s: 5 if now_s < 5 else 3000, seconds=10, wait_s=5.0)
    assert run.refused == 0
    assert run.latency_s(0.99, 7, 10) <= 0.1
    assert run.mean_limit(7, 10) >= 150


def test_what_is_not_used_is_neither_more_nor_less_however_slow_the_backend_is() -> None:
    limit = ConcurrencyLimit(256)
    for number in range(2_000):
        limit.answered("a", 0.01 if number < 100 else 3.0, 2, number / 10)
    assert limit.limit == INITIAL


def test_long_polls_that_take_every_place_do_not_keep_the_others_out() -> None:
    """Nothing is answered at all, so nothing tells of a queue: it grows to what there would be without it."""
    limit, grown = ConcurrencyLimit(256), []
    for number in range(60):
        limit.reached(number / 10)
        grown.append(limit.limit)
    assert grown[0] == INITIAL
    assert grown[-1] == 256


def test_it_waits_for_slow_answers_before_it_takes_silence_for_a_reason_to_grow() -> None:
    limit = ConcurrencyLimit(256)
    limit.answered("a", 1.0, 1, 10.0)
    limit.reached(11.9)
    assert limit.limit == INITIAL
    limit.reached(12.1)
    assert limit.limit == 2 * INITIAL


def test_very_many_kinds_are_forgotten() -> None:
    limit = ConcurrencyLimit(256)
    for number in range(3 * MAX_KINDS):
        limit.answered(str(number), 0.1, 1, float(number))
        assert len(limit._calm) <= MAX_KINDS


@given(
    st.integers(1, 300),
    st.integers(1, 300),
    st.lists(st.tuples(st.floats(0, 100), st.integers(1, 300), st.floats(0, 5), st.booleans()), max_size=200),
)
def test_it_stays_within_its_bounds(most: int, least: int, seen: list[tuple[float, int, float, bool]]) -> None:
    limit, now_s = ConcurrencyLimit(most, least), 0.0
    for latency_s, among, passed_s, reached in seen:
        now_s += passed_s
        if reached:
            limit.reached(now_s)
        limit.answered("a", latency_s, among, now_s)
        assert 1 <= limit.limit <= most
