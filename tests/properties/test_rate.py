"""What the rate arithmetic promises, over any limit and any arrivals."""

from __future__ import annotations

from bisect import bisect_right

from hypothesis import given
from hypothesis import strategies as st

from veneer.core import rate

limits = st.builds(
    rate.RateLimit,
    name=st.just("p"),
    quota=st.one_of(st.integers(1, 10), st.integers(1, 5_000)),
    window_s=st.one_of(st.integers(1, 86_400), st.floats(0.01, 100)),
    burst=st.one_of(st.integers(1, 3), st.integers(1, 50)),
)
gaps = st.lists(st.one_of(st.just(0), st.integers(0, 2_000), st.integers(0, 10**8)), min_size=1, max_size=80)
START_US = 1_795_000_000 * rate.MICROS


def admit(limit: rate.RateLimit, whole_at_us: int, now_us: int) -> tuple[int, rate.RateVerdict]:
    """One request, as every store does it: the new state and the answer."""
    waiting = rate.backlog(limit, whole_at_us, now_us)
    allowed = rate.grants(limit, waiting) == 1
    waiting += limit.interval_us if allowed else 0
    return now_us + waiting, rate.RateVerdict(limit, allowed, waiting)


def after(limit: rate.RateLimit, waits: list[int]) -> tuple[int, int, rate.RateVerdict]:
    """The time, the state and the answer after the last of the arrivals."""
    now = START_US + waits[0]
    state, answer = admit(limit, 0, now)
    for wait in waits[1:]:
        now += wait
        state, answer = admit(limit, state, now)
    return now, state, answer


def admitted(limit: rate.RateLimit, waits: list[int]) -> list[int]:
    now, state, times = START_US, 0, []
    for wait in waits:
        now += wait
        state, answer = admit(limit, state, now)
        if answer.allowed:
            times.append(now)
    return times


@given(limits, gaps)
def test_never_more_than_burst_at_once(limit: rate.RateLimit, waits: list[int]) -> None:
    times = admitted(limit, waits)
    assert all(times.count(moment) <= limit.burst for moment in set(times))


@given(limits, gaps)
def test_never_more_than_quota_and_burst_in_any_window(limit: rate.RateLimit, waits: list[int]) -> None:
    times = admitted(limit, waits)
    window_us = round(limit.window_s * rate.MICROS)
    for first, start in enumerate(times):
        assert bisect_right(times, start + window_us) - first <= limit.quota + limit.burst


@given(limits)
def test_a_patient_client_gets_its_whole_quota(limit: rate.RateLimit) -> None:
    waits = [limit.interval_us] * min(limit.quota, 80)
    assert len(admitted(limit, waits)) == len(waits)


@given(limits, gaps)
def test_retry_after_is_exact(limit: rate.RateLimit, waits: list[int]) -> None:
    now, state = START_US, 0
    for wait in waits:
        now += wait
        state, answer = admit(limit, state, now)
        if not answer.allowed:
            retry_us = round(answer.retry_after_s * rate.MICROS)
            assert retry_us > 0
            assert not admit(limit, state, now + retry_us - 1)[1].allowed
            assert admit(limit, state, now + retry_us)[1].allowed


@given(limits, gaps)
def test_remaining_is_what_may_come_now(limit: rate.RateLimit, waits: list[int]) -> None:
    now, state, answer = after(limit, waits)
    for _ in range(answer.remaining):
        state, following = admit(limit, state, now)
        assert following.allowed
    assert not admit(limit, state, now)[1].allowed


@given(limits, gaps)
def test_after_reset_the_whole_burst_may_come(limit: rate.RateLimit, waits: list[int]) -> None:
    now, state, answer = after(limit, waits)
    now += round(answer.reset_s * rate.MICROS)
    assert admit(limit, state, now)[1].remaining == limit.burst - 1


@given(limits, st.integers(-(10**16), 10**16))
def test_foreign_state_never_refuses_for_longer_than_a_full_bucket(limit: rate.RateLimit, state: int) -> None:
    answer = admit(limit, state, START_US)[1]
    assert round(answer.retry_after_s * rate.MICROS) <= limit.interval_us


@given(limits, st.integers(1, 20))
def test_shares_of_all_nodes_are_no_more_than_the_limit(limit: rate.RateLimit, nodes: int) -> None:
    share = limit.share(nodes)
    assert share.interval_us * limit.quota >= limit.window_s * rate.MICROS * nodes - limit.quota
    assert share.burst * nodes <= max(limit.burst, nodes)
