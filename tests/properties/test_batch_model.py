"""Every order of the steps, within bounds: batches admit no more than they may, and lose no more."""

from __future__ import annotations

import pytest

from tests.properties.batch_model import Bounds, Mutation, State, steps, too_few, too_many
from tests.properties.search import search

ANY = Bounds(3, ((3, 3), (3,)))
LATE = Bounds(3, ((3, 3), (3,)), life=1)
LONG = Bounds(4, ((3, 8, 8), (3,)), life=1, burst=6, prompt=True)
TWICE = Bounds(2, ((2, 8), (2,)), life=1, repeats=True)
EMPTIED = Bounds(1, ((3, 3), (3,)), life=1, empties=True)
PROMPT = Bounds(4, ((3, 3), (3,)), prompt=True)
EXHAUSTIVE = [
    ANY,
    LATE,
    LONG,
    TWICE,
    EMPTIED,
    PROMPT,
    Bounds(2, ((3,), (3,)), step=2),
    Bounds(2, ((3,), (3,)), step=-2),
]
FOUND_IN = {
    Mutation.NOT_COUNTED: ANY,
    Mutation.NO_LIFE: ANY,
    Mutation.LIFE_FROM_REPLY: ANY,
    Mutation.SPEND_ON: ANY,
    Mutation.WORKED_OFF_TOO: LATE,
    Mutation.IN_PLACE: LONG,
    Mutation.TWICE: TWICE,
    Mutation.ANY_LIFE: EMPTIED,
    Mutation.KEEP: PROMPT,
}


def _search(bounds: Bounds, mutation: Mutation) -> tuple[State | None, int]:
    """A state in which a bound is broken, or None, and how many states were seen."""
    return search(
        State(),
        lambda state: steps(state, bounds, mutation),
        lambda state: too_many(state, bounds) or (bounds.prompt and too_few(state, bounds)),
    )


@pytest.mark.parametrize("bounds", EXHAUSTIVE)
def test_no_order_of_steps_breaks_a_bound(bounds: Bounds) -> None:
    broken, seen = _search(bounds, Mutation.NONE)
    assert broken is None
    assert seen > 1_000


@pytest.mark.parametrize("mutation", [mutation for mutation in Mutation if mutation is not Mutation.NONE])
def test_a_protocol_with_a_rule_left_out_is_found(mutation: Mutation) -> None:
    assert _search(FOUND_IN[mutation], mutation)[0] is not None
