"""Header and trailer fields: an immutable, ordered multimap (RFC 9110 section 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final, TypeVar, cast

from mypy_extensions import mypyc_attr

from veneer.core.remembered import memoised

T = TypeVar("T")

Pair = tuple[str, str]
"""One field line: name as it came, value without surrounding whitespace; each character is one byte (Latin-1)."""


lower_name: Final = memoised(str.lower, 512)
"""The name in lower case. Names come again and again; what is stored shares one text for each."""


def _itself(text: str) -> str:
    return text


shared_text: Final = memoised(_itself, 512)
"""An equal text that came earlier, if there was one of late: for what is kept in great numbers."""


def _with_shared_name(line: Sequence[str]) -> Sequence[str]:
    return shared_text(line[0]), line[1]


_MAX_LINES: Final = 4096
_lines: Final[dict[Sequence[str], Sequence[str]]] = {}


def shared_line(line: Sequence[str]) -> Sequence[str]:
    """An equal pair that came earlier, if there was one of late; the name is shared in any case.

    A pair that is known stands for itself: one that was shared before is found by its identity.
    """
    known = _lines.get(line)
    if known is None:
        if len(_lines) >= _MAX_LINES:
            _lines.clear()
        known = _with_shared_name(line)
        _lines[known] = known
    return known


@lru_cache(maxsize=4096)
def shared_texts(texts: tuple[str, ...]) -> tuple[str, ...]:
    """As `shared_text`, of several."""
    return texts


_ITSELF: Final = object()
"""Stands for the fields themselves where they are what was worked out of them."""


@mypyc_attr(acyclic=True)  # what is worked out of fields refers to others, never to them
class Fields:
    """Field lines in the order and spelling in which they came.

    Bytes are held as Latin-1 text, so that `raw()` gives back exactly the bytes that arrived, obs-text included.
    Names passed to methods are lower case; names in the lines keep their spelling.
    """

    __slots__ = ("_derived", "_joined", "_shared", "pairs")

    def __init__(
        self, pairs: Iterable[Pair] = (), joined: dict[str, str] | None = None, *, shared: bool = False
    ) -> None:
        """Fields with these lines; `joined` may be given where it is known already.

        `shared` tells that each line came from `shared_line`.
        """
        self.pairs: Final = tuple(pairs)
        """The lines, in order."""
        self._joined: dict[str, str] | None = _join(self.pairs) if joined is None else joined
        self._derived: dict[Callable[[Fields], object], object] | None = None
        self._shared = shared

    @classmethod
    def from_raw(cls, pairs: Iterable[tuple[bytes, bytes]]) -> Fields:
        """Fields from bytes as a parser hands them over."""
        return cls([(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs])

    def raw(self) -> list[tuple[bytes, bytes]]:
        """The lines as bytes, for the wire."""
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.pairs]

    @property
    def joined(self) -> dict[str, str]:
        """Each field's lines joined by ", " (RFC 9110 section 5.3), by lower-case name in order of first appearance.

        It is for reading alone. As a dict it is read at half the price of a Mapping in compiled code.
        """
        joined = self._joined
        return _join(self.pairs) if joined is None else joined

    def lines(self, name: str) -> tuple[str, ...]:
        """Every value of the field, one per line; empty when absent."""
        joined = self.joined
        value = joined.get(name)
        if value is None:
            return ()
        if len(joined) == len(self.pairs):
            return (value,)
        return tuple([value for spelt, value in self.pairs if spelt.lower() == name])

    def get(self, name: str) -> str | None:
        """The field's lines joined by ", " (RFC 9110 section 5.3), or None when absent."""
        return self.joined.get(name)

    def first(self, name: str) -> str | None:
        """The value of the field's first line, or None when absent."""
        lines = self.lines(name)
        return lines[0] if lines else None

    def __contains__(self, name: str) -> bool:
        return name in self.joined

    def names(self) -> Iterable[str]:
        """The distinct names, lower case, in order of first appearance."""
        return self.joined.keys()

    def once(self, derive: Callable[[Fields], T]) -> T:
        """`derive(self)`, a pure function given by name, computed the first time and remembered with these fields.

        What it gives may be these fields, but must not refer to them.
        """
        if self._derived is None:
            self._derived = {}
        try:
            known = self._derived[derive]
        except KeyError:
            value = derive(self)
            self._derived[derive] = _ITSELF if value is self else value
            return value
        return cast("T", self if known is _ITSELF else known)

    def without(self, names: Iterable[str]) -> Fields:
        """These fields less every line whose lower-case name is in `names`."""
        gone, known = names if isinstance(names, frozenset) else frozenset(names), self.joined
        for name in known:
            if name in gone:
                break
        else:
            return self
        joined = {name: value for name, value in known.items() if name not in gone}
        lines = cast("tuple[Sequence[str], ...]", self.pairs)  # as pairs, compiled, they would be made anew
        return Fields(cast("list[Pair]", [line for line in lines if lower_name(line[0]) not in gone]), joined)

    def filter(self, keep: Callable[[str], bool]) -> Fields:
        """The lines whose lower-case name `keep` accepts."""
        return Fields([pair for pair in self.pairs if keep(pair[0].lower())])

    def added(self, *pairs: Pair) -> Fields:
        """These fields with lines appended."""
        return Fields(self.pairs + pairs, _extend(dict(self.joined), pairs))

    def changed(self, drop: frozenset[str], pairs: tuple[Pair, ...]) -> Fields:
        """These fields less every line whose lower-case name is in `drop`, with `pairs` appended."""
        kept = self.without(drop)
        return Fields(kept.pairs + pairs, _extend(dict(kept.joined), pairs))

    def followed_by(self, more: Fields) -> Fields:
        """These fields and then those of `more`."""
        mine, other = self.joined, more.joined
        joined = dict(mine)
        joined.update(other)
        once = len(joined) == len(mine) + len(other)
        return Fields(self.pairs + more.pairs, joined) if once else self.added(*more.pairs)

    def replaced(self, name: str, value: str) -> Fields:
        """These fields with every line of `name` (any case) replaced by one line at the end."""
        lower = lower_name(name)
        kept = self.without(frozenset((lower,))) if lower in self.joined else self
        return kept.added((name, value))

    def shared(self) -> Fields:
        """The same fields, their lines shared with others that say the same: for what is kept in great numbers."""
        if self._shared:
            return self
        lines = cast("tuple[Sequence[str], ...]", self.pairs)  # as pairs, compiled, they would be made anew
        return Fields(cast("list[Pair]", [shared_line(line) for line in lines]), self._joined, shared=True)

    def drop_derived(self) -> None:
        """Let go of what was worked out of the lines: until `rebuild_derived` it is made each time it is asked for."""
        self._joined = self._derived = None

    def rebuild_derived(self) -> None:
        """Work it out once again."""
        if self._joined is None:
            self._joined = _join(self.pairs)

    def __iter__(self) -> Iterator[Pair]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fields) and self.pairs == other.pairs

    def __hash__(self) -> int:
        return hash(self.pairs)

    def __repr__(self) -> str:
        return f"Fields({list(self.pairs)!r})"


def pieces_of(lines: Sequence[Pair]) -> list[str]:
    """The lines as they stand in a head, each with its CRLF, in four pieces: name, ": ", value, CRLF.

    To join them all at once costs less than to make a text of each line.
    """
    pieces = ["", ": ", "", "\r\n"] * len(lines)
    at = 0
    for name, value in lines:
        pieces[at] = name
        pieces[at + 2] = value
        at += 4
    return pieces


def _join(lines: tuple[Pair, ...]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in lines:
        joined[lower_name(name)] = value
    return joined if len(joined) == len(lines) else _extend({}, lines)


def _extend(joined: dict[str, str], pairs: tuple[Pair, ...]) -> dict[str, str]:
    """`joined` with more lines."""
    for name, value in pairs:
        lower = lower_name(name)
        before = joined.get(lower)
        joined[lower] = value if before is None else f"{before}, {value}"
    return joined
