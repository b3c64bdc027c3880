"""Records: frozen dataclasses that cost what plain ones cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """A dataclass with slots whose members the type checker keeps from being changed.

    For what every request makes dozens of: a dataclass that is frozen at run time sets each member through
    `object.__setattr__` and takes five times as long to make.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def referable_record(cls: type[T]) -> type[T]:
    """A record that can be referred to weakly, by those who must not keep it alive."""
    return dataclass(slots=True, unsafe_hash=True, weakref_slot=True)(cls)
