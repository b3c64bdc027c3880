"""Header and trailer fields: an immutable, ordered multimap (RFC 9110 section 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar, cast

T = TypeVar("T")

Pair = tuple[str, str]
"""One field line: name as it came, value without surrounding whitespace; each character is one octet (Latin-1)."""


class Fields:
    """Field lines in the order and spelling in which they came.

    Octets are held as Latin-1 text, so that `raw()` gives back exactly the bytes that arrived, obs-text included.
    Names passed to methods are lower case; names in the lines keep their spelling.
    """

    __slots__ = ("_derived", "_joined", "_pairs")

    def __init__(self, pairs: Iterable[Pair] = ()) -> None:
        self._pairs: tuple[Pair, ...] = tuple(pairs)
        self._joined: dict[str, str] | None = None
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

    @property
    def joined(self) -> Mapping[str, str]:
        """Each field's lines joined by ", " (RFC 9110 section 5.3), by lower-case name in order of first appearance.

        Made once. Who asks for several fields of the same message asks this.
        """
        joined = self._joined
        if joined is None:
            joined = {name.lower(): value for name, value in self._pairs}
            if len(joined) != len(self._pairs):
                joined = _extend({}, self._pairs)
            self._joined = joined
        return joined

    def lines(self, name: str) -> tuple[str, ...]:
        """Every value of the field, one per line; empty when absent."""
        value = self.joined.get(name)
        if value is None:
            return ()
        if len(self.joined) == len(self._pairs):
            return (value,)
        return tuple(value for spelt, value in self._pairs if spelt.lower() == name)

    def get(self, name: str) -> str | None:
        """The field's lines joined by ", " (RFC 9110 section 5.3), or None when absent."""
        joined = self._joined
        return (self.joined if joined is None else joined).get(name)

    def first(self, name: str) -> str | None:
        """The value of the field's first line, or None when absent."""
        lines = self.lines(name)
        return lines[0] if lines else None

    def __contains__(self, name: str) -> bool:
        joined = self._joined
        return name in (self.joined if joined is None else joined)

    def names(self) -> Iterable[str]:
        """The distinct names, lower case, in order of first appearance."""
        return self.joined.keys()

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
        joined = self.joined
        if drop.isdisjoint(joined):
            return self
        kept = Fields([pair for pair in self._pairs if pair[0].lower() not in drop])
        kept._joined = {name: value for name, value in joined.items() if name not in drop}
        return kept

    def filter(self, keep: Callable[[str], bool]) -> Fields:
        """The lines whose lower-case name `keep` accepts."""
        return Fields([pair for pair in self._pairs if keep(pair[0].lower())])

    def added(self, *pairs: Pair) -> Fields:
        """These fields with lines appended."""
        longer = Fields(self._pairs + pairs)
        if self._joined is not None:
            longer._joined = _extend(self._joined.copy(), pairs)
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


def _extend(joined: dict[str, str], pairs: Iterable[Pair]) -> dict[str, str]:
    """`joined` with more lines. Fields made from others take it along: building it anew is what costs."""
    for name, value in pairs:
        lower = name.lower()
        joined[lower] = f"{joined[lower]}, {value}" if lower in joined else value
    return joined
