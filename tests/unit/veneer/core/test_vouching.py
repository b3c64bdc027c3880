"""What the answer of a service proves that knows whose a credential is, and for how long."""

from __future__ import annotations

import pytest

from veneer.core.fields import Fields
from veneer.core.vouching import vouched_values, word_lasts

NAMED = (("tenant", "x-tenant"), ("user", "x-user"))


def test_values_are_those_of_fields_that_are_there_once() -> None:
    assert vouched_values(Fields([("X-Tenant", "a"), ("X-User", "7")]), NAMED) == (("tenant", "s:a"), ("user", "s:7"))
    assert vouched_values(Fields([("X-Tenant", "a"), ("X-User", "")]), NAMED) == (("tenant", "s:a"),)
    assert vouched_values(Fields([("X-Tenant", "a"), ("X-Tenant", "b")]), NAMED) == ()
    assert vouched_values(Fields([("X-Tenant", "a" * 257)]), NAMED) == ()


@pytest.mark.parametrize(
    ("said", "lasts_s"),
    [
        ("", 30),
        ("max-age=10", 10),
        ("max-age=100", 30),
        ("private, max-age=10", 10),
        ("max-age=0", 0),
        ("max-age=x", 0),
        ("no-store", 0),
        ("no-cache, max-age=10", 0),
        ('no-cache="Set-Cookie", max-age=10', 10),
    ],
)
def test_its_word_lasts_as_long_as_the_policy_says_or_less(said: str, lasts_s: float) -> None:
    assert word_lasts(Fields([("Cache-Control", said)] if said else []), 30) == lasts_s


def test_what_has_spent_time_in_a_cache_lasts_less() -> None:
    assert word_lasts(Fields([("Cache-Control", "max-age=10"), ("Age", "7")]), 30) == 3
    assert word_lasts(Fields([("Cache-Control", "max-age=10"), ("Age", "70")]), 30) == 0
