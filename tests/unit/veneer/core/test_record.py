"""Records are dataclasses: equal by value, usable as keys, replaceable, without a __dict__."""

from __future__ import annotations

import gc
from dataclasses import field, replace

from veneer.core.record import fast_struct, gc_free_struct


@fast_struct
class Point:
    x: int
    y: int = 0
    note: str = field(default="")


def test_a_record_is_a_dataclass_by_value() -> None:
    assert Point(1) == Point(1, 0)
    assert hash(Point(1)) == hash(Point(1, 0))
    assert Point(1) != Point(2)
    assert replace(Point(1), y=3) == Point(1, 3)
    assert not hasattr(Point(1), "__dict__")


def test_a_record_can_be_matched() -> None:
    match Point(1, 2):
        case Point(x, y=2):
            assert x == 1
        case _:
            raise AssertionError


def test_the_collector_does_not_look_at_lasting_records() -> None:
    @gc_free_struct
    class Kept:
        refers_to: list[int]

    assert gc.is_tracked(Kept([1]).refers_to)
    assert not gc.is_tracked(Kept([1]))
    assert Kept([1]) == Kept([1])
