"""What a policy takes over from the file as it is: a key that has a member of its name needs no line of its own."""

from __future__ import annotations

from dataclasses import Field, fields, replace
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Final, Literal, Protocol, TypeVar, Union, get_args, get_origin

from veneer.policy.shape import Shape


class Filled(Protocol):
    """A dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


Rules = TypeVar("Rules", bound=Filled)

UNITS: Final = ("", "_s", "_bytes")
"""What a member may have behind the name of its key."""
_PLAIN: Final = frozenset({bool, int, float, NoneType})


def taken_over(shape: Shape, rules: Rules) -> Rules:
    """`rules` with the value of each key that one of their members is named after, with its unit behind or without.

    Only what needs no translation: flags and numbers, which may be absent, and one of several words where the member
    has an Enum of them. Of a member that has another name, or another type, whoever calls says what it becomes.
    """
    found: dict[str, object] = {}
    for member, key in taken(type(shape), type(rules)):
        value, default = getattr(shape, key), getattr(rules, member)
        found[member] = type(default)(value) if isinstance(default, Enum) else value
    return replace(rules, **found)


@cache
def taken(shape: type[Shape], rules: type[Filled]) -> tuple[tuple[str, str], ...]:
    """Each member that is taken over, with its key."""
    keys = shape.model_fields
    pairs = [
        (member.name, member.name.removesuffix(unit))
        for member in fields(rules)
        for unit in UNITS
        if member.name.endswith(unit)
    ]
    named = {field.name: isinstance(field.default, Enum) for field in fields(rules)}
    return tuple(
        (member, key) for member, key in pairs if key in keys and is_plain(keys[key].annotation, words=named[member])
    )


def is_plain(annotation: object, *, words: bool = False) -> bool:
    """Whether values of a key of this type need no translation; with `words`, whether they are one of several words."""
    origin = get_origin(annotation)
    if words:
        return origin is Literal
    if origin is Annotated:
        return is_plain(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return all(is_plain(one) for one in get_args(annotation))
    return annotation in _PLAIN
