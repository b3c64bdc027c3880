"""Header and trailer fields: an immutable, ordered multimap (RFC 9110 section 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar, cast

T = TypeVar("T")

Pair = tuple[str, str]
"""One field line: name as it came, value without surrounding whitespace; each character is one octet (Latin-1)."""


class Fields:
    """Field lines in the order and spelling in which they came.

    Octets are held as Latin-1 text, so that `raw()` gives back exactly the bytes that arrived, obs-text included.
    Names passed to methods are lower case; names in the lines keep their spelling.
    """

    __slots__ = ("_derived", "_index", "_pairs")

    def __init__(self, pairs: Iterable[Pair] = ()) -> None:
        self._pairs: tuple[Pair, ...] = tuple(pairs)
        self._index: dict[str, tuple[str, ...]] | None = None
        self._derived: dict[Callable[[Fields], object], object] | None = None

    @classmethod
    def from_raw(cls, pairs: Iterable[tuple[bytes, bytes]]) -> Fields:
        """Fields from octets as a parser hands them over."""
        return cls((name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs)

    def raw(self) -> list[tuple[bytes, bytes]]:
        """The lines as octets, for the wire."""
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self._pairs]

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The lines, in order."""
        return self._pairs

    def _lookup(self) -> dict[str, tuple[str, ...]]:
        if self._index is None:
            self._index = _extend({}, self._pairs)
        return self._index

    def lines(self, name: str) -> tuple[str, ...]:
        """Every value of the field, one per line; empty when absent."""
        index = self._index
        return (self._lookup() if index is None else index).get(name, ())

    def get(self, name: str) -> str | None:
        """The field's lines joined by ", " (RFC 9110 section 5.3), or None when absent."""
        index = self._index
        lines = (self._lookup() if index is None else index).get(name)
        if lines is None:
            return None
        return lines[0] if len(lines) == 1 else ", ".join(lines)

    def first(self, name: str) -> str | None:
        """The value of the field's first line, or None when absent."""
        index = self._index
        lines = (self._lookup() if index is None else index).get(name)
        return None if lines is None else lines[0]

    def __contains__(self, name: str) -> bool:
        index = self._index
        return name in (self._lookup() if index is None else index)

    def names(self) -> Iterable[str]:
        """The distinct names, lower case, in order of first appearance."""
        return self._lookup().keys()

    def once(self, derive: Callable[[Fields], T]) -> T:
        """`derive(self)`, a pure function given by name, computed the first time and remembered with these fields."""
        if self._derived is None:
            self._derived = {}
        try:
            return cast("T", self._derived[derive])
        except KeyError:
            value = self._derived[derive] = derive(self)
            return value

    def without(self, names: Iterable[str]) -> Fields:
        """These fields less every line whose lower-case name is in `names`."""
        drop = frozenset(names)
        index = self._lookup()
        if drop.isdisjoint(index):
            return self
        kept = Fields([pair for pair in self._pairs if pair[0].lower() not in drop])
        kept._index = {name: lines for name, lines in index.items() if name not in drop}
        return kept

    def filter(self, keep: Callable[[str], bool]) -> Fields:
        """The lines whose lower-case name `keep` accepts."""
        return Fields([pair for pair in self._pairs if keep(pair[0].lower())])

    def added(self, *pairs: Pair) -> Fields:
        """These fields with lines appended."""
        longer = Fields(self._pairs + pairs)
        if self._index is not None:
            longer._index = _extend(self._index.copy(), pairs)
        return longer

    def replaced(self, name: str, value: str) -> Fields:
        """These fields with every line of `name` (any case) replaced by one line at the end."""
        return self.without((name.lower(),)).added((name, value))

    def __iter__(self) -> Iterator[Pair]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fields) and self._pairs == other._pairs

    def __hash__(self) -> int:
        return hash(self._pairs)

    def __repr__(self) -> str:
        return f"Fields({list(self._pairs)!r})"


def _extend(index: dict[str, tuple[str, ...]], pairs: Iterable[Pair]) -> dict[str, tuple[str, ...]]:
    """`index` with more lines. Fields made from others take their index along: building it anew is what costs."""
    for name, value in pairs:
        lower = name.lower()
        index[lower] = (*index[lower], value) if lower in index else (value,)
    return index
