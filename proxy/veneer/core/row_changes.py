"""What a change of a table's row means for the cache: which tags it invalidates.

Rows come from a database's own account of its changes (PostgreSQL's logical replication, Debezium's events). Values are
text as the database writes it; None is NULL. A column that the account leaves out (an unchanged TOAST value, a
column of the old row that the replica identity does not cover) is missing from the mapping: it is unknown, not NULL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

EVERYTHING: Final = "*"

UNTOLD: Final = "\0"
"""A value that may have changed and is not told: no other is equal to it, and it may be any. What a new row lacks has
not changed, and what an old row lacks is unknown as well. No text of PostgreSQL holds a NUL.
"""

Row = Mapping[str, str | None]


class ChangeKind(Enum):
    """What happened to a row, or with TRUNCATE to all of them."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    TRUNCATE = "truncate"


@dataclass(frozen=True, slots=True)
class RowChange:
    """One row of `table` ("schema.name"), as it was and as it is; None where there is none, or it is not told."""

    table: str
    kind: ChangeKind
    old: Row | None
    new: Row | None


@dataclass(frozen=True, slots=True)
class ColumnTemplate:
    """A tag with columns in it: `texts` and `columns` take turns, beginning and ending with a text.

    It may end in ":*", for the tag and all below it. With `changed` an UPDATE counts only if one of these differs.
    """

    texts: tuple[str, ...]
    columns: tuple[str, ...]
    changed: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        """As it is written."""
        written = [f"{text}{{{column}}}" for text, column in zip(self.texts, self.columns, strict=False)]
        return "".join(written) + self.texts[-1]

    @property
    def all_of_it(self) -> str:
        """The narrowest subject that names every tag of this template: itself, a prefix "a:*", or "*"."""
        if not self.columns:
            return self.texts[0]
        head, colon, _ = self.texts[0].rpartition(":")
        return f"{head}:*" if colon else EVERYTHING


@dataclass(frozen=True, slots=True)
class TableRules:
    """What changes of one table ("schema.name") invalidate.

    An UPDATE in which only columns of `ignore` differ is none. With `when`, a row counts only if each named column has
    one of the values, before or after.
    """

    table: str
    tags: tuple[ColumnTemplate, ...]
    ignore: frozenset[str] = frozenset()
    when: tuple[tuple[str, frozenset[str]], ...] = ()

    @property
    def columns(self) -> frozenset[str]:
        """The columns of which old and new values are needed."""
        named = {column for template in self.tags for column in (*template.columns, *template.changed)}
        return frozenset(named | {column for column, _ in self.when})
