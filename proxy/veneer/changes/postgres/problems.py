"""What keeps a database from telling the changes that a source's tables ask for, and the SQL that mends it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from veneer.changes.postgres.catalog import Catalog, PublicationFacts, ServerFacts, SlotFacts, TableFacts
from veneer.changes.postgres.statements import (
    bound_wal,
    create_publication,
    create_slot,
    drop_slot,
    make_wal_logical,
    publish_all_changes,
    publish_tables,
    publish_via_root,
    tell_old_rows,
)
from veneer.core.postgres import quoted_name, quoted_table
from veneer.core.row_changes import TableRules
from veneer.policy.model_changes import PostgresRules

OLDEST: Final = 140_000
"""PostgreSQL 14 is the first that tells heartbeats (`messages`)."""
NEW_SLOT_IS_MADE: Final = "it is made when the source is opened"


class PostgresProblem(Enum):
    """What is wrong."""

    VERSION = "version"
    STANDBY = "standby"
    WAL_LEVEL = "wal-level"
    RIGHTS = "rights"
    TABLE = "table"
    COLUMN = "column"
    REPLICA_IDENTITY = "replica-identity"
    PUBLICATION = "publication"
    NOT_PUBLISHED = "not-published"
    UNMAPPED = "unmapped"
    SLOT = "slot"
    WAL_UNBOUNDED = "wal-unbounded"


@dataclass(frozen=True, slots=True)
class FoundProblem:
    """Why, and the statements that mend it, of which table if of one. With `warning` the source works nevertheless."""

    problem: PostgresProblem
    message: str
    sql: tuple[str, ...] = ()
    warning: bool = False
    table: str = ""


P = PostgresProblem


def problems_of(catalog: Catalog, settings: PostgresRules, tables: Iterable[TableRules]) -> tuple[FoundProblem, ...]:
    """Everything that is wrong, what keeps the source from working first."""
    rules = tuple(tables)
    found = [*_server(catalog.server)]
    for one in rules:
        found += _table(one, catalog.tables.get(one.table, ()))
    mapped = [one for one in rules if one.table in catalog.tables]
    found += _publication(catalog, settings, mapped)
    found += _slot(catalog.slot, settings, catalog.server.database)
    return tuple(sorted(found, key=lambda one: one.warning))


def _server(server: ServerFacts) -> Iterator[FoundProblem]:
    if server.version < OLDEST:
        yield FoundProblem(P.VERSION, f"PostgreSQL {server.version // 10_000} tells no heartbeats; 14 is the first")
    if server.is_standby:
        yield FoundProblem(P.STANDBY, "this is a standby, where no heartbeat can be written; name the primary")
    if server.wal_level != "logical":
        why = f"wal_level is {server.wal_level} and has to be logical, which takes a restart"
        yield FoundProblem(P.WAL_LEVEL, why, (make_wal_logical(),))
    if not server.may_replicate:
        sql = f"ALTER ROLE {quoted_name(server.role)} REPLICATION"
        yield FoundProblem(P.RIGHTS, f'the role "{server.role}" may not replicate', (sql,))
    if not server.slot_wal_is_bounded:
        why = "max_slot_wal_keep_size is not set: while nobody reads the slot the write-ahead log fills the disk"
        yield FoundProblem(P.WAL_UNBOUNDED, why, bound_wal(), warning=True)


def _table(rules: TableRules, stored: tuple[TableFacts, ...]) -> Iterator[FoundProblem]:
    name = rules.table
    if not stored:
        folded = "; a name that SQL writes without quotes is in lower case" if name != name.lower() else ""
        yield FoundProblem(P.TABLE, f"there is no table {name}{folded}")
        return
    root = stored[0]
    if root.kind not in {"r", "p"}:
        yield FoundProblem(P.TABLE, f"{name} is no table; name the tables that it reads from")
        return
    asked = rules.columns | rules.ignore
    if missing := sorted(asked - root.columns):
        has = ", ".join(sorted(root.columns))
        yield FoundProblem(P.COLUMN, f"{name} has no column {', '.join(missing)}; it has {has}")
    if generated := sorted(rules.columns & root.generated):
        why = f"{name}.{generated[0]} is generated, and is not told; use the columns that it is made of"
        yield FoundProblem(P.COLUMN, why)
    for one in stored:
        if one.kind == "r":
            yield from _stored(rules, one)


def _stored(rules: TableRules, table: TableFacts) -> Iterator[FoundProblem]:
    name = table.stored_in
    if table.unlogged:
        why = f"{name} is unlogged, and its changes are not told"
        yield FoundProblem(P.TABLE, why, (f"ALTER TABLE {quoted_table(name)} SET LOGGED",))
    needed = rules.columns & table.columns
    untold = sorted(needed - table.told_of_old)
    if untold or not table.told_of_old:
        why = (
            f"the replica identity of {name} does not hold {', '.join(untold) or 'any column'}, so that old rows are "
            "not told; USING INDEX does as well, with a unique index on columns that are not null and hold these"
        )
        yield FoundProblem(P.REPLICA_IDENTITY, why, (tell_old_rows(name),), table=name)
    elif rules.ignore and table.told_of_old != table.columns:
        why = f"without old rows of {name} an UPDATE of ignored columns alone cannot be told from another one"
        yield FoundProblem(P.REPLICA_IDENTITY, why, (tell_old_rows(name),), warning=True, table=name)


def without_old_rows(catalog: Catalog, tables: Iterable[TableRules]) -> list[str]:
    """The tables, or their partitions, whose replica identity does not hold what their rules need."""
    stored = ((rules, table) for rules in tables for table in catalog.tables.get(rules.table, ()) if table.kind == "r")
    found = (one for rules, table in stored for one in _stored(rules, table))
    return [one.table for one in found if one.problem is P.REPLICA_IDENTITY]


def _publication(catalog: Catalog, settings: PostgresRules, rules: list[TableRules]) -> Iterator[FoundProblem]:
    name, publication = settings.publication, catalog.publication
    tables = [one.table for one in rules]
    if publication is None:
        sql = create_publication(name, tables)
        yield FoundProblem(P.PUBLICATION, f'there is no publication "{name}"', (sql,))
        return
    if publication.untold:
        why = f'the publication "{name}" does not tell {", ".join(publication.untold)}'
        yield FoundProblem(P.PUBLICATION, why, (publish_all_changes(name),))
    partitioned = sorted(one for one in tables if catalog.tables[one][0].kind == "p")
    if partitioned and not publication.via_root:
        why = f'the publication "{name}" tells changes of {partitioned[0]} by the names of its partitions'
        yield FoundProblem(P.PUBLICATION, why, (publish_via_root(name),))
        return
    yield from _published(name, publication, rules)


def _published(name: str, publication: PublicationFacts, rules: list[TableRules]) -> Iterator[FoundProblem]:
    missing = [one.table for one in rules if one.table not in publication.tables]
    if missing:
        why = f'the publication "{name}" does not hold {", ".join(missing)}'
        yield FoundProblem(P.NOT_PUBLISHED, why, publish_tables(name, missing))
    for one in rules:
        told = publication.tables.get(one.table)
        if told is not None and (untold := sorted(one.columns - told)):
            why = f'the publication "{name}" does not hold {", ".join(untold)} of {one.table}'
            yield FoundProblem(P.NOT_PUBLISHED, why, ())
        if one.table in publication.filtered:
            why = f'the publication "{name}" tells only some rows of {one.table}'
            yield FoundProblem(P.NOT_PUBLISHED, why, warning=True)
    unmapped = sorted(publication.tables.keys() - {one.table for one in rules})
    if unmapped:
        why = (
            f'the publication "{name}" holds {", ".join(unmapped[:10])}{" and others" * (len(unmapped) > 10)}, which '
            "have no tags: each change there invalidates everything under the source"
        )
        sql = () if publication.all_tables else (f"ALTER PUBLICATION {quoted_name(name)} DROP TABLE {_list(unmapped)}",)
        yield FoundProblem(P.UNMAPPED, why, sql, warning=True)


def _list(tables: list[str]) -> str:
    return ", ".join(map(quoted_table, tables))


def _slot(slot: SlotFacts | None, settings: PostgresRules, database: str) -> Iterator[FoundProblem]:
    name = settings.slot
    if slot is None:
        why = f'there is no replication slot "{name}" yet; {NEW_SLOT_IS_MADE}'
        yield FoundProblem(P.SLOT, why, (create_slot(name),), warning=True)
    elif slot.plugin != "pgoutput" or slot.database != database:
        has = f"{slot.plugin or 'no plugin'} in {slot.database or 'no database'}"
        why = f'the replication slot "{name}" is of {has}, and not of pgoutput in {database}'
        yield FoundProblem(P.SLOT, why, (drop_slot(name), create_slot(name)))
    elif slot.is_lost:
        why = f'the replication slot "{name}" has lost what it was to keep; {NEW_SLOT_IS_MADE}'
        yield FoundProblem(P.SLOT, why, (drop_slot(name), create_slot(name)), warning=True)
