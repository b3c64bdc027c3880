"""Every order of the steps of writes in doubt, within bounds: nothing older than a late commit is served."""

from __future__ import annotations

import pytest

from tests.properties.doubt_model import Mutation, State, steps, violates
from tests.properties.search import search

TICKS = 4


def _search(mutation: Mutation) -> tuple[State | None, int]:
    """A state in which the cache lies, or None, and how many states were seen."""
    return search(State(), lambda state: steps(state, TICKS, mutation), violates)


def test_no_order_of_steps_makes_a_node_lie() -> None:
    lie, seen = _search(Mutation.NONE)
    assert lie is None
    assert seen > 10_000


@pytest.mark.parametrize("mutation", [mutation for mutation in Mutation if mutation is not Mutation.NONE])
def test_a_protocol_with_a_rule_left_out_is_found_to_lie(mutation: Mutation) -> None:
    assert _search(mutation)[0] is not None
