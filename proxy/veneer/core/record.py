"""Records: frozen dataclasses that cost less than plain ones."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from typing import TypeVar, cast, dataclass_transform

import msgspec

T = TypeVar("T")

_NOT_KEPT = frozenset({"__dict__", "__weakref__", "__annotations__"})


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def fast_struct(cls: type[T]) -> type[T]:
    """A frozen class with slots, made of the members that `cls` declares; `dataclasses.replace` works on it.

    For what every request makes dozens of: a dataclass that is frozen at run time takes five times as long to make as
    one that is not, and that one two to three times as long as a Struct, which is made without running Python.
    """
    return _made(cls, lasting=False)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def gc_free_struct(cls: type[T]) -> type[T]:
    """A record that the cycle collector never looks at: for what is kept in great numbers.

    Nothing that it refers to may refer to it.
    """
    return _made(cls, lasting=True)


def _made(cls: type[T], *, lasting: bool) -> type[T]:
    own = dict(vars(cls))
    members = fields(dataclass(cls))  # type: ignore[arg-type]  # the decorator makes it one
    names = _NOT_KEPT.union(member.name for member in members)
    namespace = {name: value for name, value in own.items() if name not in names}
    made = msgspec.defstruct(
        cls.__name__,
        [
            (member.name, cast("type", member.type), _default(member.default, member.default_factory))
            for member in members
        ],
        namespace=namespace | {"__dataclass_fields__": cls.__dict__["__dataclass_fields__"]},
        module=cls.__module__,
        frozen=True,
        gc=not lasting,
    )
    return cast("type[T]", made)


def _default(value: object, factory: object) -> object:
    if factory is not MISSING:
        return msgspec.field(default_factory=factory)  # type: ignore[call-overload]
    return msgspec.NODEFAULT if value is MISSING else value
