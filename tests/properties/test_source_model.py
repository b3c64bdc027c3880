"""Every order of the steps, within bounds: nothing is served later after a commit than the source may be late."""

from __future__ import annotations

import pytest

from tests.properties.search import search
from tests.properties.source_model import LAG, Bounds, Mutation, State, steps, violates

EXHAUSTIVE = [
    Bounds(ticks=3, beats=1, renewals=1, deaths=1),
    Bounds(ticks=3, beats=2, renewals=1),
    Bounds(ticks=2, beats=1, renewals=2, deaths=1),
]


def _search(bounds: Bounds, mutation: Mutation) -> tuple[State | None, int]:
    return search(State(), lambda state: steps(state, bounds, mutation), lambda state: violates(state, mutation))


@pytest.mark.parametrize("bounds", EXHAUSTIVE)
def test_no_order_of_steps_serves_what_is_later_than_it_may_be(bounds: Bounds) -> None:
    lie, seen = _search(bounds, Mutation.NONE)
    assert lie is None
    assert seen > 10_000


@pytest.mark.parametrize("mutation", [mutation for mutation in Mutation if mutation is not Mutation.NONE])
def test_a_protocol_with_a_rule_left_out_is_found_to_lie(mutation: Mutation) -> None:
    assert any(_search(bounds, mutation)[0] is not None for bounds in EXHAUSTIVE)


def _serves_late(state: State) -> bool:
    return state.entry is not None and state.as_of is not None and state.now - state.as_of <= LAG and state.now >= 1


def test_it_serves_from_the_store_at_all() -> None:
    """A protocol that never answers would never lie."""
    bounds = EXHAUSTIVE[0]
    assert search(State(), lambda state: steps(state, bounds, Mutation.NONE), _serves_late)[0] is not None
