"""All that a database needs to tell its changes, as statements for an administrator, and carried out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from psycopg2 import Error, extensions

from veneer.changes.postgres.catalog import Catalog, read_catalog
from veneer.changes.postgres.problems import without_old_rows
from veneer.changes.postgres.session import Session
from veneer.changes.postgres.statements import (
    bound_wal,
    create_publication,
    create_role,
    create_slot,
    make_wal_logical,
    publish_all_changes,
    publish_tables,
    publish_via_root,
    tell_old_rows,
)
from veneer.core.row_changes import TableRules
from veneer.policy.model_changes import PostgresRules
from veneer.ports import SourceError

DEFAULT_ROLE: Final = "veneer"
DEFAULT_DATABASE: Final = "postgres"
NEW_SLOT_S: Final = 60.0
RESTART: Final = "wal_level is logical only once PostgreSQL has been restarted; then run this again for the slot"


def setup_sql(
    settings: PostgresRules, tables: tuple[TableRules, ...], catalog: Catalog | None = None
) -> tuple[str, ...]:
    """The statements in order, each of which may be run again.

    Of a database that was asked, `catalog` says what is there already: the server's settings are left alone where they
    do, and only tables whose replica identity is too narrow get a full one. The publication comes before the slot,
    which looks for it where it begins.
    """
    given = _given(settings)
    role, database = given.get("user", DEFAULT_ROLE), given.get("dbname", given.get("user", DEFAULT_DATABASE))
    publication, named = settings.publication, [rules.table for rules in tables]
    server = None if catalog is None else catalog.server
    narrow = named if catalog is None else without_old_rows(catalog, tables)
    return (
        *((make_wal_logical(),) if server is None or server.wal_level != "logical" else ()),
        *(bound_wal() if server is None or not server.slot_wal_is_bounded else ()),
        *create_role(role, database),
        *map(tell_old_rows, narrow),
        create_publication(publication, named),
        *publish_tables(publication, named),
        publish_all_changes(publication),
        publish_via_root(publication),
        create_slot(settings.slot),
    )


def _given(settings: PostgresRules) -> dict[str, str]:
    try:
        return {name: str(value) for name, value in extensions.parse_dsn(settings.dsn).items()}
    except Error as error:
        raise SourceError("the dsn of the source is none that libpq can read", lasting=True) from error


async def needed_sql(settings: PostgresRules, tables: tuple[TableRules, ...], admin_dsn: str) -> tuple[str, ...]:
    """The statements for this database as it is. Raises SourceError."""
    session = await Session.open(admin_dsn, "setup")
    try:
        return setup_sql(settings, tables, await read_catalog(session, settings, tables))
    finally:
        session.close()


async def set_up(settings: PostgresRules, tables: tuple[TableRules, ...], admin_dsn: str) -> AsyncIterator[str]:
    """Carry them out, each told when it is done. Raises SourceError, also where a restart has to come first."""
    session = await Session.open(admin_dsn, "setup")
    try:
        catalog = await read_catalog(session, settings, tables)
        for statement in setup_sql(settings, tables, catalog):
            if statement == create_slot(settings.slot) and catalog.server.wal_level != "logical":
                raise SourceError(RESTART, sql=(statement,))
            try:
                await session.query(statement, timeout_s=NEW_SLOT_S)
            except SourceError as error:
                raise SourceError(str(error), sql=(statement,), lasting=error.lasting) from error
            yield statement
    finally:
        session.close()
