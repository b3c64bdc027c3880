"""From the checked section `changes` to the model, and what routes may say of sources."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from veneer.core.row_changes import EVERYTHING, ColumnTemplate, TableRules
from veneer.core.tags import BadTagError, names_of
from veneer.policy.document import KeyPath
from veneer.policy.model_changes import (
    ChangeSettings,
    DebeziumRules,
    PostedRules,
    PostgresRules,
    SourceKind,
    SourceLoss,
    TagStreamRules,
)
from veneer.policy.schema import PolicyShape
from veneer.policy.schema_changes import SourceShape, TableShape
from veneer.policy.template import Parameter, TemplateError, parse_tag
from veneer.policy.wrong import Wrong

DEFAULT_SCHEMA = "public"
_PASSWORD = re.compile(r"\bpassword\s*=\s*(?:'((?:[^'\\]|\\.)*)'|(\S+))")
KINDS = ("postgres", "debezium", "stream", "posted")
"""Where changes may be told."""
REDIS_SCHEMES = ("redis", "rediss", "redis+sentinel", "redis+cluster", "rediss+sentinel", "rediss+cluster", "unix")


def source_of(name: str, shape: SourceShape) -> ChangeSettings | None:
    """The settings; None where it is not followed, or something is wrong with them (`wrong_changes`)."""
    if not shape.enabled:
        return None
    try:
        kind = _kind_of(shape)
        if kind is None:
            return None
        tables = tuple(table_rules(table, given) for table, given in shape.tables.items())
    except (TemplateError, BadTagError):
        return None
    return ChangeSettings(name, kind, tables, shape.max_lag, SourceLoss(shape.on_loss))


def _kind_of(shape: SourceShape) -> SourceKind | None:
    """Where the source is. Raises BadTagError."""
    if (postgres := shape.postgres) is not None:
        return PostgresRules(postgres.dsn, postgres.slot, postgres.publication)
    if (debezium := shape.debezium) is not None:
        return DebeziumRules(debezium.key, debezium.redis, debezium.old_rows == "full")
    if (stream := shape.stream) is not None:
        return TagStreamRules(stream.key, stream.redis, _named(stream.tags))
    if (posted := shape.posted) is not None:
        return PostedRules(posted.old_rows == "full", _named(posted.tags))
    return None


def _named(tags: Iterable[str]) -> tuple[str, ...]:
    """What these tags name. Raises BadTagError."""
    return tuple(name for tag in tags for name in names_of(tag))


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


def secrets_of(shape: SourceShape) -> list[str]:
    """The passwords in its places."""
    places = [one.redis for one in (shape.debezium, shape.stream) if one is not None and one.redis is not None]
    places += [] if shape.postgres is None else [shape.postgres.dsn]
    return [secret for place in places if (secret := _password_of(place))]


def _password_of(place: str) -> str:
    try:
        given = urlsplit(place).password
    except ValueError:
        given = None
    if given is None and (found := _PASSWORD.search(place)) is not None:
        given = found[1] or found[2]
    return given or ""


def wrong_changes(shapes: Mapping[str, SourceShape]) -> Iterator[Wrong]:
    """What is wrong with the section."""
    read: dict[tuple[str | None, str], str] = {}
    for name, shape in shapes.items():
        kinds = [kind for kind in KINDS if getattr(shape, kind) is not None]
        if len(kinds) != 1:
            said = " and ".join(kinds) or "nothing"
            yield Wrong((name,), f"a source is in one place, and here is {said}", f"write one of {', '.join(KINDS)}")
        if shape.postgres is not None:
            place = (shape.postgres.dsn, shape.postgres.slot)
            if place in read:
                why = f'the slot "{shape.postgres.slot}" is read by the source "{read[place]}" already'
                yield Wrong((name, "postgres", "slot"), why, "put the tables together, or name another slot")
            read.setdefault(place, name)
        for kind, stream in (("debezium", shape.debezium), ("stream", shape.stream)):
            yield from _wrong_redis((name, kind, "redis"), None if stream is None else stream.redis)
        for kind, plain in (("stream", shape.stream), ("posted", shape.posted)):
            yield from _wrong_tags((name, kind, "tags"), () if plain is None else plain.tags)
        if (shape.postgres is not None or shape.debezium is not None) and not shape.tables:
            yield Wrong((name,), '"tables" is missing')
        if shape.stream is not None and shape.tables:
            yield Wrong((name, "tables"), "events of a stream name tags, and no tables", "leave the key out")
        yield from (Wrong((name, "tables", *one.path), *one[1:]) for one in _wrong_tables(shape.tables))


def _wrong_redis(path: KeyPath, url: str | None) -> Iterator[Wrong]:
    if url is not None and url.partition("://")[0] not in REDIS_SCHEMES:
        yield Wrong(path, f'"{url}" is not a Redis URL', f"begin it with one of {', '.join(REDIS_SCHEMES)} and ://")


def _wrong_tags(path: KeyPath, tags: Iterable[str]) -> Iterator[Wrong]:
    for at, tag in enumerate(tags):
        try:
            names_of(tag)
        except BadTagError as error:
            yield Wrong((*path, at), str(error))


def wrong_routes(shape: PolicyShape) -> Iterator[Wrong]:
    """Routes that name a source of which nobody can tell how late it is."""
    posted = {name for name, one in shape.changes.items() if one.posted is not None}
    places: list[tuple[KeyPath, list[str]]] = [(("defaults", "cache", "changes"), shape.defaults.cache.changes)]
    places += [(("routes", at, "cache", "changes"), one.cache.changes) for at, one in enumerate(shape.routes)]
    for path, names in places:
        for at, name in enumerate(names):
            if name in posted:
                why = f'the events of "{name}" are posted, so nobody can tell how late they are'
                yield Wrong((*path, at), why, "leave it out: what is posted holds for every route")


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
