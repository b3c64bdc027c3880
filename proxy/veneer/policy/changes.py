"""From the checked section `changes` to the model, and what routes may say of sources."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from veneer.core.row_changes import EVERYTHING, ColumnTemplate, TableRules
from veneer.policy.model_changes import ChangeSettings, PostgresRules, SourceLoss
from veneer.policy.schema_changes import SourceShape, TableShape
from veneer.policy.template import Parameter, TemplateError, parse_tag
from veneer.policy.wrong import Wrong

DEFAULT_SCHEMA = "public"
_PASSWORD = re.compile(r"\bpassword\s*=\s*(?:'((?:[^'\\]|\\.)*)'|(\S+))")
KINDS = ("postgres",)
"""Where changes may be told."""


def source_of(name: str, shape: SourceShape) -> ChangeSettings | None:
    """The settings; None where it is not followed, or something is wrong with them (`wrong_changes`)."""
    if shape.postgres is None or not shape.enabled:
        return None
    kind = PostgresRules(shape.postgres.dsn, shape.postgres.slot, shape.postgres.publication)
    try:
        tables = tuple(table_rules(table, given) for table, given in shape.tables.items())
    except TemplateError:
        return None
    return ChangeSettings(name, kind, tables, shape.max_lag, SourceLoss(shape.on_loss))


def table_rules(table: str, shape: TableShape) -> TableRules:
    """The core's rules of a table. Raises TemplateError."""
    return TableRules(
        full_name(table),
        tuple(replace(column_template(one.tag), changed=frozenset(one.changed)) for one in shape.tags),
        frozenset(shape.ignore),
        tuple((column, frozenset(values)) for column, values in sorted(shape.when.items())),
    )


def full_name(table: str) -> str:
    """The table with its schema."""
    return table if "." in table else f"{DEFAULT_SCHEMA}.{table}"


def column_template(text: str) -> ColumnTemplate:
    """A tag template from its text. Raises TemplateError."""
    texts, columns = [""], []
    for part in parse_tag(text, prefix_allowed=True).parts:
        if isinstance(part, Parameter):
            columns.append(part.name)
            texts.append("")
        else:
            texts[-1] += part
    return ColumnTemplate(tuple(texts), tuple(columns))


def secret_of(shape: SourceShape) -> str:
    """The password in its place; empty where there is none."""
    if shape.postgres is None:
        return ""
    try:
        given = urlsplit(shape.postgres.dsn).password
    except ValueError:
        given = None
    if given is None and (found := _PASSWORD.search(shape.postgres.dsn)) is not None:
        given = found[1] or found[2]
    return given or ""


def wrong_changes(shapes: Mapping[str, SourceShape]) -> Iterator[Wrong]:
    """What is wrong with the section."""
    slots: dict[tuple[str, str], str] = {}
    for name, shape in shapes.items():
        kinds = [kind for kind in KINDS if getattr(shape, kind) is not None]
        if len(kinds) != 1:
            said = " and ".join(kinds) or "nothing"
            yield Wrong((name,), f"a source is in one place, and here is {said}", f"write one of {', '.join(KINDS)}")
        if shape.postgres is not None:
            place = (shape.postgres.dsn, shape.postgres.slot)
            if place in slots:
                why = f'the slot "{shape.postgres.slot}" is read by the source "{slots[place]}" already'
                yield Wrong((name, "postgres", "slot"), why, "put the tables together, or name another slot")
            slots.setdefault(place, name)
        yield from (Wrong((name, "tables", *one.path), *one[1:]) for one in _wrong_tables(shape.tables))


def _wrong_tables(tables: Mapping[str, TableShape]) -> Iterator[Wrong]:
    known: dict[str, str] = {}
    for table, shape in tables.items():
        if (full := full_name(table)) in known:
            yield Wrong((table,), f'is the same table as "{known[full]}"', "write it once")
        known.setdefault(full, table)
        for index, text in enumerate(one.tag for one in shape.tags):
            try:
                template = column_template(text)
            except TemplateError as error:
                yield Wrong((table, "tags", index), str(error), error.suggestion)
                continue
            if template.columns and template.all_of_it == EVERYTHING:
                why = (
                    f'"{text}" has no colon before its first column: what sums up many rows would be everything stored'
                )
                yield Wrong((table, "tags", index), why, 'begin it with a name and a colon, as in "user:{id}"')
            if any(column.startswith("identity.") for column in template.columns):
                yield Wrong((table, "tags", index), f'"{text}" names who asks, and nobody does', "name a column")
