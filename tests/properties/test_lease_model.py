"""Every order of the protocol's steps, within bounds: no node serves what is older than an answered write."""

from __future__ import annotations

import random

import pytest

from tests.properties.lease_model import Bounds, Mutation, State, steps, violates
from tests.properties.search import search

EXHAUSTIVE = [
    Bounds(ticks=3, renewals=(0, 1), pause=True),
    Bounds(ticks=2, renewals=(0, 2)),
    Bounds(ticks=2, renewals=(1, 0), restart=True),
    Bounds(ticks=2, renewals=(0, 1), restart=True),
]
WALKS = Bounds(ticks=12, renewals=(4, 8), pause=True, restart=True)


def _search(bounds: Bounds, mutation: Mutation) -> tuple[State | None, int]:
    """A state in which the cache lies, or None, and how many states were seen."""
    return search(State(), lambda state: steps(state, bounds, mutation), lambda state: violates(state, mutation))


@pytest.mark.parametrize("bounds", EXHAUSTIVE)
def test_no_order_of_steps_makes_a_node_lie(bounds: Bounds) -> None:
    lie, seen = _search(bounds, Mutation.NONE)
    assert lie is None
    assert seen > 10_000


def test_no_long_random_walk_makes_a_node_lie() -> None:
    chance = random.Random(5)
    answered = 0
    for _ in range(400):
        state = State()
        for _ in range(60):
            state = chance.choice(list(steps(state, WALKS, Mutation.NONE)) or [state])
            assert not violates(state, Mutation.NONE)
        answered += state.writing == 3
    assert answered > 100


@pytest.mark.parametrize("mutation", [mutation for mutation in Mutation if mutation is not Mutation.NONE])
def test_a_protocol_with_a_rule_left_out_is_found_to_lie(mutation: Mutation) -> None:
    assert any(_search(bounds, mutation)[0] is not None for bounds in reversed(EXHAUSTIVE))
