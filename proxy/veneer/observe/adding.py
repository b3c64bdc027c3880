"""Adding up what several processes counted: member by member, so that a new counter needs no line of its own."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TypeVar, cast

import msgspec

T = TypeVar("T")


def summed(one: T, other: T) -> T:
    """The sum of two values of one shape; shares nothing with either that can change.

    Numbers add, and None is a number that is not known: it adds nothing. A flag holds where it holds for both. Structs
    add member by member, mappings name by name, lists place by place; of a text, the first stays.

    Raises TypeError for a shape that has no sum.
    """
    return cast("T", _summed(one, other))


def add_to(total: msgspec.Struct, other: msgspec.Struct, but: str = "") -> None:
    """Add what another one counted to `total`, member by member, as `summed`; not the member `but`."""
    for name in total.__struct_fields__:
        if name != but:
            setattr(total, name, summed(getattr(total, name), getattr(other, name)))


def _summed(one: object, other: object) -> object:
    if one is None or other is None:
        return copy.deepcopy(one if other is None else other)
    match one, other:
        case bool(), bool():
            total: object = one and other
        case ((int() | float()), (int() | float())):
            total = one + other
        case str(), str():
            total = one
        case list(), list():
            total = [_summed(mine, theirs) for mine, theirs in zip(one, other, strict=True)]
        case Mapping(), Mapping():
            total = {name: _summed(one.get(name), other.get(name)) for name in {**one, **other}}
        case msgspec.Struct(), msgspec.Struct():
            names = one.__struct_fields__
            total = type(one)(**{name: _summed(getattr(one, name), getattr(other, name)) for name in names})
        case _:
            message = f"{type(one).__name__} and {type(other).__name__} cannot be added"
            raise TypeError(message)
    return total
