"""The same key finds the same target; few keys move; none has more than its part."""

from __future__ import annotations

from collections import Counter
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veneer.core.affinity import ROOM, AffinityKind, AffinityRules, choose, key_of, number_of
from veneer.core.fields import Fields

KEYS = [number_of(f"client {number}") for number in range(1_000)]


def targets(count: int) -> list[int]:
    return [number_of(f"10.0.0.{number}:8000") for number in range(count)]


def homes(numbers: list[int], shares: list[float] | None = None) -> list[int]:
    """The target of each key while nothing is under way, by its number."""
    shares = shares or [1.0] * len(numbers)
    # With so high a factor nobody is ever full.
    return [numbers[choose(numbers, shares, [0] * len(numbers), key, 1e9)] for key in KEYS]


@pytest.mark.no_cover
@settings(max_examples=30, deadline=None)
@given(count=st.integers(2, 12), gone=st.integers(0, 11))
def test_where_a_target_goes_its_keys_move_and_no_others(count: int, gone: int) -> None:
    all_of_them = targets(count)
    gone %= count
    before = homes(all_of_them)
    after = homes([number for index, number in enumerate(all_of_them) if index != gone])
    moved = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert {old for old, _ in moved} == {all_of_them[gone]}
    assert len(moved) == pytest.approx(len(KEYS) / count, rel=0.3)
    if count > 2:
        taken = Counter(new for _, new in moved)
        assert len(taken) == count - 1, "all the others take some"
        assert max(taken.values()) < 2 * len(moved) / (count - 1)


def test_keys_are_shared_out_as_the_weights_say() -> None:
    counts = Counter(homes(numbers := targets(3), [0.5, 1.0, 1.5]))
    assert [counts[number] for number in numbers] == pytest.approx([167, 333, 500], rel=0.2)


@given(
    shares=st.lists(st.floats(0.01, 100.0), min_size=1, max_size=8),
    keys=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=200),
    factor=st.floats(1.0, 3.0),
    same=st.booleans(),
)
def test_no_target_has_more_than_its_part_whatever_the_keys_are(
    shares: list[float], keys: list[int], factor: float, same: bool
) -> None:
    numbers, in_flight = targets(len(shares)), [0] * len(shares)
    for key in keys:
        index = choose(numbers, shares, in_flight, keys[0] if same else key, factor)
        in_flight[index] += 1
        assert in_flight[index] <= max(ROOM, ceil(factor * sum(in_flight) * shares[index] / sum(shares) + 1e-9))


def test_what_does_not_fit_goes_to_where_the_key_would_be_next() -> None:
    numbers = targets(3)
    key = KEYS[0]
    first = choose(numbers, [1.0] * 3, [0, 0, 0], key, 1.5)
    others = [index for index in range(3) if index != first]
    second = others[choose([numbers[index] for index in others], [1.0] * 2, [0, 0], key, 1.5)]
    in_flight = [0, 0, 0]
    in_flight[first] = ROOM - 1
    assert choose(numbers, [1.0] * 3, in_flight, key, 1.5) == first, "few requests stay together"
    in_flight[first] = ROOM
    assert choose(numbers, [1.0] * 3, in_flight, key, 1.5) == second


@pytest.mark.parametrize(
    ("kind", "name", "fields", "text"),
    [
        (AffinityKind.CLIENT_IP, "", [("X-Forwarded-For", "192.0.2.1, 10.0.0.1")], "192.0.2.1"),
        (AffinityKind.CLIENT_IP, "", [], None),
        (AffinityKind.HEADER, "x-user", [("X-User", "ann")], "ann"),
        (AffinityKind.HEADER, "x-user", [("X-User", "")], None),
        (AffinityKind.HEADER, "x-user", [], None),
        (AffinityKind.COOKIE, "sid", [("Cookie", "other=1; sid=2; sid=3")], "2"),
        (AffinityKind.COOKIE, "sid", [("Cookie", "other=1"), ("Cookie", "sid=4")], "4"),
        (AffinityKind.COOKIE, "sid", [("Cookie", "SID=1; sid=")], None),
        (AffinityKind.COOKIE, "sid", [], None),
    ],
)
def test_the_key_is_what_the_policy_names(
    kind: AffinityKind, name: str, fields: list[tuple[str, str]], text: str | None
) -> None:
    found = key_of(AffinityRules(kind, name), Fields(fields))
    assert found == (None if text is None else number_of(text))


def test_numbers_are_the_same_on_each_node_and_tomorrow() -> None:
    assert number_of("10.0.0.1:8000") == 0xB31C92A44E6B490F
