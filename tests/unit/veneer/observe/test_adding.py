"""The sum of what several processes counted forgets no member."""

from __future__ import annotations

import copy

import msgspec
import pytest

from veneer.observe.adding import summed
from veneer.observe.counters import Counts, RouteCounts, Snapshot, merged
from veneer.observe.gauges import Gauges, StoreGauges

DEEPER: dict[str, type[msgspec.Struct]] = {"routes": RouteCounts, "stores": StoreGauges}


def filled(kind: type[msgspec.Struct]) -> msgspec.Struct:
    """One with 1 in every member, however deep."""
    empty = kind("l1") if kind is StoreGauges else kind()
    return kind(**{name: _filled(name, getattr(empty, name)) for name in kind.__struct_fields__})


def _filled(name: str, empty: object) -> object:
    match empty:
        case dict() if name == "requests":
            return {"GET": [1, 1, 1, 1, 1, 1]}
        case dict():
            return {"a": filled(DEEPER[name]) if name in DEEPER else 1}
        case tuple():
            return (filled(DEEPER[name]),)
        case msgspec.Struct():
            return filled(type(empty))
        case list():
            return [1] * len(empty)
    return empty if isinstance(empty, bool | str) else 1


def numbers(value: object) -> list[object]:
    """Every number in a value, in order."""
    match value:
        case bool() | str():
            return []
        case int() | float():
            return [value]
        case dict():
            return [number for item in value.values() for number in numbers(item)]
        case list() | tuple():
            return [number for item in value for number in numbers(item)]
        case msgspec.Struct():
            return [number for name in value.__struct_fields__ for number in numbers(getattr(value, name))]
        case _:
            raise AssertionError(value)


def test_every_member_of_every_count_is_added() -> None:
    one = Snapshot(filled(Counts), filled(Gauges))  # type: ignore[arg-type]
    before = copy.deepcopy(one)
    total = merged([one, one])
    assert set(numbers(total)) == {2}
    assert len(numbers(total)) == len(numbers(one))
    assert one == before, "what was added stays as it was"


def test_what_is_not_known_adds_nothing() -> None:
    assert summed(StoreGauges("l1", entries=None, bytes=3), StoreGauges("l1", entries=2)) == StoreGauges("l1", 2, 3)
    assert summed({"a": [1, 2]}, {"b": [3, 4]}) == {"a": [1, 2], "b": [3, 4]}


def test_a_sum_shares_no_list_with_its_parts() -> None:
    part = {"a": [1, 2]}
    summed({}, part)["a"].append(9)
    assert part == {"a": [1, 2]}


def test_what_has_no_sum_is_an_error() -> None:
    with pytest.raises(TypeError, match="int and str cannot be added"):
        summed({"a": 1}, {"a": "1"})
