"""What a database lacks, and the statement that gives it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.change_sources import USERS
from veneer.changes.postgres.catalog import Catalog, PublicationFacts, ServerFacts, SlotFacts, TableFacts
from veneer.changes.postgres.problems import FoundProblem, PostgresProblem, problems_of, without_old_rows
from veneer.core.pgoutput import ReplicaIdentity
from veneer.core.row_changes import ColumnTemplate, TableRules
from veneer.policy.model_changes import PostgresRules

P = PostgresProblem
SETTINGS = PostgresRules("dsn", "slot", "told")
COLUMNS = frozenset({"id", "company_id", "name"})
NONE: frozenset[str] = frozenset()
TABLE = TableFacts("public.users", "public.users", "r", False, ReplicaIdentity.FULL, COLUMNS, NONE, COLUMNS)
TOLD = PublicationFacts(False, (), False, {"public.users": COLUMNS}, NONE)
SLOT = SlotFacts("pgoutput", "app", 7, "reserved", "0/1", "0/2", 100)
RIGHT = Catalog(
    ServerFacts(180_006, "logical", True, False, "app", "veneer", True),
    {"public.users": (TABLE,)},
    TOLD,
    SLOT,
)
SERVER = RIGHT.server


def found(catalog: Catalog, *tables: TableRules) -> tuple[FoundProblem, ...]:
    return problems_of(catalog, SETTINGS, tables or (USERS,))


def test_a_database_that_is_right_has_none() -> None:
    assert found(RIGHT) == ()


@pytest.mark.parametrize(
    ("server", "problem", "sql", "warning"),
    [
        (replace(SERVER, version=130_010), P.VERSION, "", False),
        (replace(SERVER, is_standby=True), P.STANDBY, "", False),
        (replace(SERVER, wal_level="replica"), P.WAL_LEVEL, "ALTER SYSTEM SET wal_level = 'logical'", False),
        (replace(SERVER, may_replicate=False), P.RIGHTS, 'ALTER ROLE "veneer" REPLICATION', False),
        (replace(SERVER, slot_wal_is_bounded=False), P.WAL_UNBOUNDED, "max_slot_wal_keep_size = '10GB'", True),
    ],
)
def test_of_the_server(server: ServerFacts, problem: PostgresProblem, sql: str, warning: bool) -> None:
    (only,) = found(replace(RIGHT, server=server))
    assert (only.problem, only.warning) == (problem, warning)
    assert sql in " ".join(only.sql)


@pytest.mark.parametrize(
    ("table", "problem", "says", "sql"),
    [
        (replace(TABLE, kind="v"), P.TABLE, "public.users is no table", ""),
        (replace(TABLE, unlogged=True), P.TABLE, "unlogged", 'ALTER TABLE "public"."users" SET LOGGED'),
        (replace(TABLE, columns=frozenset({"id"})), P.COLUMN, "no column company_id; it has id", ""),
        (replace(TABLE, generated=frozenset({"company_id"})), P.COLUMN, "company_id is generated", ""),
        (
            replace(TABLE, identity=ReplicaIdentity.PRIMARY_KEY, told_of_old=frozenset({"id"})),
            P.REPLICA_IDENTITY,
            "does not hold company_id",
            'ALTER TABLE "public"."users" REPLICA IDENTITY FULL',
        ),
        (
            replace(TABLE, identity=ReplicaIdentity.NOTHING, told_of_old=NONE),
            P.REPLICA_IDENTITY,
            "USING INDEX",
            "REPLICA IDENTITY FULL",
        ),
    ],
)
def test_of_a_table(table: TableFacts, problem: PostgresProblem, says: str, sql: str) -> None:
    first = found(replace(RIGHT, tables={"public.users": (table,)}))[0]
    assert (first.problem, first.warning) == (problem, False)
    assert says in first.message
    assert sql in " ".join(first.sql)


def test_of_a_table_that_is_not_there() -> None:
    missing = replace(RIGHT, tables={}, publication=replace(TOLD, tables={}))
    (only,) = found(missing)
    assert only.problem is P.TABLE
    assert "lower case" not in only.message
    (only,) = found(missing, replace(USERS, table="public.Users"))
    assert "there is no table public.Users; a name that SQL writes without quotes is in lower case" in only.message


def test_a_column_that_is_ignored_has_to_be_there_too_and_needs_old_rows_to_be_of_use() -> None:
    ignoring = replace(USERS, tags=(ColumnTemplate(("user:", ""), ("id",)),), ignore=frozenset({"seen"}))
    assert [one.problem for one in found(RIGHT, ignoring)] == [P.COLUMN]
    by_key = replace(TABLE, identity=ReplicaIdentity.PRIMARY_KEY, told_of_old=frozenset({"id"}))
    catalog = replace(RIGHT, tables={"public.users": (by_key,)})
    (only,) = found(catalog, replace(ignoring, ignore=frozenset({"name"})))
    assert (only.problem, only.warning) == (P.REPLICA_IDENTITY, True)


def test_of_partitions_each_that_holds_rows_counts() -> None:
    root = replace(TABLE, kind="p", identity=ReplicaIdentity.PRIMARY_KEY, told_of_old=frozenset({"id"}))
    right = replace(TABLE, stored_in="public.users_1")
    narrow = replace(right, stored_in="public.users_2", told_of_old=frozenset({"id"}))
    catalog = replace(RIGHT, tables={"public.users": (root, right, narrow)}, publication=replace(TOLD, via_root=True))
    (only,) = found(catalog)
    assert only.sql == ('ALTER TABLE "public"."users_2" REPLICA IDENTITY FULL',)
    assert without_old_rows(catalog, (USERS,)) == ["public.users_2"]
    by_partition = found(replace(catalog, publication=TOLD))
    assert [one.problem for one in by_partition] == [P.REPLICA_IDENTITY, P.PUBLICATION]


@pytest.mark.parametrize(
    ("publication", "problem", "sql", "warning"),
    [
        (None, P.PUBLICATION, 'CREATE PUBLICATION "told" FOR TABLE "public"."users"', False),
        (replace(TOLD, untold=("truncate",)), P.PUBLICATION, "SET (publish = ", False),
        (replace(TOLD, tables={}), P.NOT_PUBLISHED, 'ADD TABLE "public"."users"', False),
        (replace(TOLD, tables={"public.users": frozenset({"id"})}), P.NOT_PUBLISHED, "", False),
        (replace(TOLD, filtered=frozenset({"public.users"})), P.NOT_PUBLISHED, "", True),
        (
            replace(TOLD, tables={"public.users": COLUMNS, "public.x": COLUMNS}),
            P.UNMAPPED,
            'ALTER PUBLICATION "told" DROP TABLE "public"."x"',
            True,
        ),
        (
            replace(TOLD, all_tables=True, tables={"public.users": COLUMNS, "public.x": COLUMNS}),
            P.UNMAPPED,
            "",
            True,
        ),
    ],
)
def test_of_the_publication(
    publication: PublicationFacts | None, problem: PostgresProblem, sql: str, warning: bool
) -> None:
    (only,) = found(replace(RIGHT, publication=publication))
    assert (only.problem, only.warning) == (problem, warning)
    assert sql in " ".join(only.sql)


@pytest.mark.parametrize(
    ("slot", "warning"),
    [
        (None, True),
        (replace(SLOT, plugin="wal2json"), False),
        (replace(SLOT, database="other"), False),
        (replace(SLOT, plugin="", database=""), False),
        (replace(SLOT, wal_status="lost"), True),
        (replace(SLOT, wal_status=""), True),
    ],
)
def test_of_the_slot(slot: SlotFacts | None, warning: bool) -> None:
    (only,) = found(replace(RIGHT, slot=slot))
    assert (only.problem, only.warning) == (P.SLOT, warning)
    assert "pg_create_logical_replication_slot('slot', 'pgoutput')" in only.sql[-1]


def test_what_keeps_the_source_from_working_comes_first() -> None:
    catalog = replace(RIGHT, server=replace(SERVER, slot_wal_is_bounded=False, may_replicate=False))
    assert [one.warning for one in found(catalog)] == [False, True]
