"""The tags that changes of rows invalidate, and what a whole transaction invalidates, in bounded memory.

A tag is made of the old row and of the new one, each value in the form of `core.tags.tag_text`. What is not known is
taken for anything: a template with an unknown column names everything of its kind. NULL is known, and names nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Final

from veneer.core.row_changes import EVERYTHING, UNTOLD, ChangeKind, ColumnTemplate, Row, RowChange, TableRules
from veneer.core.tags import tag_text

MAX_TAGS_OF_TEMPLATE: Final = 1_000
"""Tags of one template that one transaction names singly."""

MAX_VALUE_CHARS: Final = 1_024
"""A longer value stands for anything."""

_NO_ROW: Final[Row] = {}


def all_tags(tables: Iterable[TableRules]) -> tuple[str, ...]:
    """What names every tag that changes of these tables may name, each once, in the tables' order."""
    named = dict.fromkeys(template.all_of_it for rules in tables for template in rules.tags)
    return (EVERYTHING,) if EVERYTHING in named else tuple(named)


def wanted_columns(rules: TableRules) -> Set[str] | None:
    """The columns of which values are needed; None for all: with `ignore` the others are compared."""
    return None if rules.ignore else rules.columns


def counts(rules: TableRules, change: RowChange) -> bool:
    """Whether a change of one row invalidates anything, by `ignore` and `when`."""
    old, new = change.old, change.new
    for column, values in rules.when:
        if not (
            _may_be(column, values, old, change.kind is ChangeKind.INSERT) or _may_be_after(column, values, change)
        ):
            return False
    if not rules.ignore or new is None:
        return True
    return differs(new.keys() - rules.ignore, change)


def differs(columns: Set[str], change: RowChange) -> bool:
    """Whether one of the columns is another one after the change, as far as is known.

    What the new row lacks is unchanged: it is left out (TOAST) only then.
    """
    old, new = change.old, change.new
    if change.kind is not ChangeKind.UPDATE or old is None or new is None:
        return True
    return any(column not in old or old[column] != new[column] for column in columns if column in new)


def _may_be(column: str, values: Set[str], row: Row | None, absent: bool) -> bool:
    """Whether the column of a row has one of the values, as far as is known; of a row that is `absent` it has not."""
    if absent:
        return False
    if row is None or column not in row:
        return True
    return row[column] == UNTOLD or row[column] in values


def _may_be_after(column: str, values: Set[str], change: RowChange) -> bool:
    new, old = change.new, change.old
    if new is not None and column not in new and old is not None and column in old:
        return old[column] in values
    return _may_be(column, values, new, change.kind is ChangeKind.DELETE)


class _TemplateTags:
    """The tags of one template in one transaction."""

    __slots__ = ("all_of_it", "changed", "columns", "count", "full", "texts")

    def __init__(self, template: ColumnTemplate) -> None:
        self.texts: Final = template.texts
        self.columns: Final = template.columns
        self.all_of_it: Final = template.all_of_it
        self.changed: Final = template.changed
        self.count = 0
        self.full = False

    def tag(self, row: Row, instead: Row) -> str | None:
        """The tag of a row, where a column that is missing in it is looked for `instead`; None where one is NULL."""
        tag = self.texts[0]
        known = True
        for at, column in enumerate(self.columns, 1):
            value = row[column] if column in row else instead.get(column, UNTOLD)
            if value is None:
                return None
            if value == UNTOLD or len(value) > MAX_VALUE_CHARS:
                known = False
            else:
                tag += tag_text(value) + self.texts[at]
        return tag if known else self.all_of_it


class TransactionTags:
    """What the changes of one transaction invalidate together, in the order in which it was named first.

    Of a template that names more than `limit` tags, its `all_of_it` is named instead; so a transaction of any size
    takes little memory. Tables that add nothing any more are `settled`: their rows need not be read.
    """

    __slots__ = ("_all_tags", "_everything", "_gap", "_limit", "_rules", "_tags", "_templates", "_touched", "settled")

    def __init__(self, tables: Iterable[TableRules], limit: int = MAX_TAGS_OF_TEMPLATE) -> None:
        self._rules = {rules.table: rules for rules in tables}
        self._templates = {
            table: [_TemplateTags(template) for template in rules.tags] for table, rules in self._rules.items()
        }
        self._all_tags = all_tags(self._rules.values())
        self._limit = limit
        self._tags: dict[str, _TemplateTags | None] = {}
        self._touched: list[_TemplateTags] = []
        self._everything = False
        self._gap = ""
        self.settled: set[str] = set()

    def add(self, change: RowChange) -> None:
        """Name what this change invalidates. A table without rules may mean anything."""
        rules = self._rules.get(change.table)
        if rules is None:
            self.everything(f"{change.table} is told of and has no tags")
            return
        if change.table in self.settled or self._everything:
            return
        if change.kind is ChangeKind.TRUNCATE:
            self._settle(change.table)
            return
        if not counts(rules, change):
            return
        full = True
        for template in self._templates[change.table]:
            if not template.full and (not template.changed or differs(template.changed, change)):
                self._add(template, change)
            full = full and template.full
        if full:
            self.settled.add(change.table)

    def everything(self, why: str) -> None:
        """Name everything that the tables may invalidate: what happened is not known. The first reason is kept."""
        self._gap = self._gap or why
        self._everything = True
        self.settled.update(self._rules)

    def take(self) -> tuple[tuple[str, ...], str]:
        """The tags, and why more is named than was changed; then the next transaction begins."""
        tags = self._all_tags if self._everything else tuple(self._tags)
        gap = self._gap
        if EVERYTHING in self._tags:
            tags = (EVERYTHING,)
        for template in self._touched:
            template.count = 0
            template.full = False
        self._touched.clear()
        self._tags = {}
        self._everything = False
        self._gap = ""
        self.settled.clear()
        return tags, gap

    def _settle(self, table: str) -> None:
        for template in self._templates[table]:
            if not template.full:
                self._fill(template)
        self.settled.add(table)

    def _add(self, template: _TemplateTags, change: RowChange) -> None:
        old = _NO_ROW if change.old is None else change.old
        new = _NO_ROW if change.new is None else change.new
        before: str | None = None
        if change.kind is not ChangeKind.INSERT:
            before = template.tag(old, _NO_ROW)
            if before is not None:
                self._name(before, template)
        if change.kind is not ChangeKind.DELETE and not template.full:
            after = template.tag(new, old)
            if after is not None and after != before:
                self._name(after, template)

    def _name(self, tag: str, template: _TemplateTags) -> None:
        if tag == template.all_of_it:
            self._fill(template)
        elif tag not in self._tags:
            if template.count >= self._limit:
                self._fill(template)
                return
            if not template.count:
                self._touched.append(template)
            template.count += 1
            self._tags[tag] = template

    def _fill(self, template: _TemplateTags) -> None:
        """From here on the template names everything of its kind."""
        if template.count:
            self._tags = {tag: owner for tag, owner in self._tags.items() if owner is not template}
        else:
            self._touched.append(template)
        template.full = True
        self._tags.setdefault(template.all_of_it, None)


def tags_of(rules: TableRules, change: RowChange) -> tuple[str, ...]:
    """The tags that one change of a table's row invalidates."""
    tags = TransactionTags((rules,))
    tags.add(change)
    return tags.take()[0]
