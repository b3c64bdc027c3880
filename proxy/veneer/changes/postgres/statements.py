"""The SQL that lets a database tell its changes. Each is one statement without its semicolon, and may be run again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from veneer.core.postgres import quoted_name, quoted_table, quoted_text

WAL_KEPT: Final = "10GB"
"""How much of the log is kept at most for a slot that nobody reads. What is beyond that is lost, and "everything"."""


def make_wal_logical() -> str:
    """What the next restart turns on."""
    return "ALTER SYSTEM SET wal_level = 'logical'"


def bound_wal() -> tuple[str, ...]:
    """A bound for what slots keep."""
    return (f"ALTER SYSTEM SET max_slot_wal_keep_size = '{WAL_KEPT}'", "SELECT pg_reload_conf()")


def create_role(role: str, database: str) -> tuple[str, ...]:
    """A role that may do what the source needs and no more: it can read no table."""
    name = quoted_name(role)
    return (
        (
            f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {quoted_text(role)}) THEN "
            f"CREATE ROLE {name} LOGIN; END IF; END $$"
        ),
        f"ALTER ROLE {name} REPLICATION",
        f"GRANT CONNECT ON DATABASE {quoted_name(database)} TO {name}",
    )


def tell_old_rows(table: str) -> str:
    """All columns of old rows are written to the log, and so told."""
    return f"ALTER TABLE {quoted_table(table)} REPLICA IDENTITY FULL"


def create_publication(name: str, tables: Iterable[str]) -> str:
    """A publication of these tables, where there is none of that name."""
    listed = ", ".join(map(quoted_table, tables))
    return (
        f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_publication WHERE pubname = {quoted_text(name)}) THEN "
        f"CREATE PUBLICATION {quoted_name(name)} FOR TABLE {listed} "
        "WITH (publish = 'insert, update, delete, truncate', publish_via_partition_root = true); END IF; END $$"
    )


def publish_tables(name: str, tables: Iterable[str]) -> tuple[str, ...]:
    """These tables too."""
    return tuple(
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_publication_tables WHERE pubname = "
        f"{quoted_text(name)} AND schemaname || '.' || tablename = {quoted_text(table)}) THEN "
        f"ALTER PUBLICATION {quoted_name(name)} ADD TABLE {quoted_table(table)}; END IF; END $$"
        for table in tables
    )


def publish_all_changes(name: str) -> str:
    """Every kind of change."""
    return f"ALTER PUBLICATION {quoted_name(name)} SET (publish = 'insert, update, delete, truncate')"


def publish_via_root(name: str) -> str:
    """Changes of partitions by the partitioned table's name."""
    return f"ALTER PUBLICATION {quoted_name(name)} SET (publish_via_partition_root = true)"


def create_slot(name: str) -> str:
    """The slot. It has to be younger than the publication."""
    return (
        f"SELECT pg_create_logical_replication_slot({quoted_text(name)}, 'pgoutput') "  # noqa: S608 - quoted
        f"WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = {quoted_text(name)})"
    )


def drop_slot(name: str) -> str:
    """The slot is gone, with what it kept."""
    slot = quoted_text(name)
    return f"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = {slot}"  # noqa: S608 - quoted
