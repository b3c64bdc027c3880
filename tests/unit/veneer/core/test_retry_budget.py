"""How much may be tried again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veneer.core.fields import Fields
from veneer.core.messages import RequestHead
from veneer.core.retry_budget import SAVED, SAVED_S, RetryBudget, RetryWrites, may_repeat


@pytest.mark.parametrize(
    ("method", "key", "writes", "repeats"),
    [
        ("GET", False, RetryWrites.NEVER, True),
        ("POST", True, RetryWrites.NEVER, False),
        ("PUT", False, RetryWrites.NEVER, False),
        ("POST", False, RetryWrites.WITH_KEY, False),
        ("POST", True, RetryWrites.WITH_KEY, True),
        ("DELETE", False, RetryWrites.ALWAYS, True),
    ],
)
def test_a_write_is_repeated_only_where_the_policy_says_so(
    method: str, key: bool, writes: RetryWrites, repeats: bool
) -> None:
    fields = Fields([("Idempotency-Key", '"8e03978e"')] if key else [])
    assert may_repeat(RequestHead(method, "/", None, "a.test", fields), writes) is repeats


def test_who_asks_seldom_may_try_again_a_little() -> None:
    budget = RetryBudget(0.1, 2, 100.0)
    assert [budget.take(100.0) for _ in range(3)] == [True, True, False]
    assert [budget.take(100.5) for _ in range(2)] == [True, False]


def test_requests_pay_for_retries() -> None:
    budget = RetryBudget(0.25, 0, 100.0)
    for _ in range(8):
        budget.request()
    assert [budget.take(100.0) for _ in range(3)] == [True, True, False]


@given(
    share=st.floats(0, 1),
    per_s=st.integers(0, 20),
    steps=st.lists(st.one_of(st.none(), st.floats(0, 30), st.just("retry")), max_size=300),
)
def test_there_are_never_more_retries_than_paid_for(share: float, per_s: int, steps: list[float | str | None]) -> None:
    now = 50.0
    budget = RetryBudget(share, per_s, now)
    requests = retries = 0
    for step in steps:
        if step is None:
            budget.request()
            requests += 1
        elif isinstance(step, str):
            retries += budget.take(now)
        else:
            now += step
    assert retries <= requests * share + per_s * (now - 50.0) + per_s + 1e-6


def test_what_is_saved_is_bounded() -> None:
    budget = RetryBudget(1.0, 3, 0.0)
    for _ in range(10_000):
        budget.request()
    assert sum(budget.take(10_000.0) for _ in range(1_000)) == SAVED + 3 * SAVED_S
