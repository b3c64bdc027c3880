"""What a database says of its tables, its publication and its slot, for `problems`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, cast

from veneer.changes.postgres.session import Found, Session
from veneer.core.pgoutput import ReplicaIdentity
from veneer.core.row_changes import TableRules
from veneer.policy.model_changes import PostgresRules


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """The server, and what the role of the connection may do. `version` is as 180006."""

    version: int
    wal_level: str
    slot_wal_is_bounded: bool
    is_standby: bool
    database: str
    role: str
    may_replicate: bool


@dataclass(frozen=True, slots=True)
class TableFacts:
    """One table, or one partition of it that holds rows (`table` is then the partitioned one).

    `kind` is pg_class.relkind; `told_of_old` are the columns that the replica identity holds.
    """

    table: str
    stored_in: str
    kind: str
    unlogged: bool
    identity: ReplicaIdentity
    columns: frozenset[str]
    generated: frozenset[str]
    told_of_old: frozenset[str]


@dataclass(frozen=True, slots=True)
class PublicationFacts:
    """A publication; `tables` says which columns are published, `filtered` those of which some rows are not told."""

    all_tables: bool
    untold: tuple[str, ...]
    via_root: bool
    tables: dict[str, frozenset[str]]
    filtered: frozenset[str]


@dataclass(frozen=True, slots=True)
class SlotFacts:
    """A replication slot. `kept_bytes` of the log are kept for it; LSNs are empty where there is none."""

    plugin: str
    database: str
    active_pid: int | None
    wal_status: str
    restart_lsn: str
    confirmed_lsn: str
    kept_bytes: int

    @property
    def is_lost(self) -> bool:
        """Whether PostgreSQL has thrown away what the slot was to keep."""
        return self.wal_status in {"lost", ""}


@dataclass(frozen=True, slots=True)
class Catalog:
    """All of it. `tables` are by the mapped table's name; what is not there is missing."""

    server: ServerFacts
    tables: dict[str, tuple[TableFacts, ...]]
    publication: PublicationFacts | None
    slot: SlotFacts | None


_SERVER: Final = """
    SELECT current_setting('server_version_num')::int, current_setting('wal_level'),
           current_setting('max_slot_wal_keep_size') <> '-1', pg_is_in_recovery(),
           current_database()::text, rolname::text,
           rolsuper OR rolreplication OR EXISTS (
               SELECT FROM pg_roles AS cloud
               WHERE cloud.rolname = 'rds_replication' AND pg_has_role(cloud.oid, 'member'))
    FROM pg_roles WHERE rolname = current_user"""

_TABLES: Final = """
    SELECT root.name, home.nspname || '.' || stored.relname, stored.relkind::text,
           stored.relpersistence = 'u', stored.relreplident::text,
           ARRAY(SELECT attname::text FROM pg_attribute
                 WHERE attrelid = stored.oid AND attnum > 0 AND NOT attisdropped),
           ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = stored.oid AND attgenerated <> ''),
           ARRAY(SELECT attname::text FROM pg_index
                 JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey::int2[])
                 WHERE indrelid = stored.oid AND CASE relreplident WHEN 'd' THEN indisprimary
                                                                   WHEN 'i' THEN indisreplident END)
    FROM (SELECT c.oid, nspname || '.' || relname AS name, relkind FROM pg_class AS c
          JOIN pg_namespace AS n ON n.oid = relnamespace WHERE nspname || '.' || relname = ANY (%s)) AS root
    JOIN pg_class AS stored ON stored.oid = root.oid
         OR root.relkind = 'p' AND stored.oid IN (SELECT relid FROM pg_partition_tree(root.oid) WHERE isleaf)
    JOIN pg_namespace AS home ON home.oid = stored.relnamespace
    ORDER BY root.name, stored.oid = root.oid DESC, stored.relname"""

_PUBLICATION: Final = """
    SELECT puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot
    FROM pg_publication WHERE pubname = %s"""

_PUBLISHED: Final = """
    SELECT schemaname || '.' || tablename, attnames::text[], rowfilter IS NOT NULL
    FROM pg_publication_tables WHERE pubname = %s"""
_PUBLISHED_14: Final = """
    SELECT schemaname || '.' || tablename,
           ARRAY(SELECT attname::text FROM pg_attribute
                 WHERE attrelid = c.oid AND attnum > 0 AND attgenerated = ''),
           false
    FROM pg_publication_tables JOIN pg_namespace AS n ON nspname = schemaname
    JOIN pg_class AS c ON relnamespace = n.oid AND relname = tablename WHERE pubname = %s"""

_SLOT: Final = """
    SELECT coalesce(plugin, '')::text, coalesce(database, '')::text, active_pid, coalesce(wal_status, ''),
           coalesce(restart_lsn::text, ''), coalesce(confirmed_flush_lsn::text, ''),
           coalesce(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                                    ELSE pg_current_wal_lsn() END, restart_lsn), 0)::bigint
    FROM pg_replication_slots WHERE slot_name = %s"""

_CHANGES: Final = ("insert", "update", "delete", "truncate")
WITH_COLUMN_LISTS: Final = 150_000


async def read_catalog(session: Session, settings: PostgresRules, tables: Iterable[TableRules]) -> Catalog:
    """Ask the database. Raises SourceError."""
    server = ServerFacts(*cast("tuple[int, str, bool, bool, str, str, bool]", (await session.query(_SERVER))[0]))
    names = [rules.table for rules in tables]
    found: dict[str, tuple[TableFacts, ...]] = {}
    for row in await session.query(_TABLES, (names,)):
        table = _table(row)
        found[table.table] = (*found.get(table.table, ()), table)
    publication = await _publication(session, settings.publication, server.version)
    return Catalog(server, found, publication, await read_slot(session, settings.slot))


async def read_slot(session: Session, name: str) -> SlotFacts | None:
    """The slot of that name. Raises SourceError."""
    found = await session.query(_SLOT, (name,))
    return SlotFacts(*cast("tuple[str, str, int | None, str, str, str, int]", found[0])) if found else None


async def _publication(session: Session, name: str, version: int) -> PublicationFacts | None:
    found = await session.query(_PUBLICATION, (name,))
    if not found:
        return None
    all_tables, *told, via_root = found[0]
    published = await session.query(_PUBLISHED if version >= WITH_COLUMN_LISTS else _PUBLISHED_14, (name,))
    columns = {str(table): frozenset(cast("list[str]", names)) for table, names, _ in published}
    untold = tuple(change for change, is_told in zip(_CHANGES, told, strict=True) if not is_told)
    filtered = frozenset(str(table) for table, _, is_filtered in published if is_filtered)
    return PublicationFacts(bool(all_tables), untold, bool(via_root), columns, filtered)


def _table(row: Found) -> TableFacts:
    table, stored_in, kind, unlogged, identity, *names = row
    columns, generated, in_index = (frozenset(cast("list[str]", one)) for one in names)
    replica = ReplicaIdentity(str(identity))
    told = columns if replica is ReplicaIdentity.FULL else in_index
    return TableFacts(str(table), str(stored_in), str(kind), bool(unlogged), replica, columns, generated, told)
