"""A database of users on a real PostgreSQL, with a role that may tell its changes and nothing else."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2

from devstack.postgres import PostgresServer
from tests.support.change_sources import USERS
from veneer.changes.postgres.source import PostgresSource
from veneer.core.row_changes import TableRules
from veneer.policy.model_changes import PostgresRules

ROLE = "veneer_reader"
_numbers = itertools.count(1)


class UsersInPostgres:
    """See tests.support.change_sources.ChangingData."""

    has_beats = True

    def __init__(self, server: PostgresServer, name: str, *tables: TableRules, port: int | None = None) -> None:
        self.server = server
        self.name = name
        self.url = server.url(name)
        self.tables = tables or (USERS,)
        at = f"postgresql://{ROLE}@127.0.0.1:{port or server.port}/{name}"
        self.settings = PostgresRules(at, f"{name}_slot", "told")
        self._source = PostgresSource("main", self.settings, self.tables)

    @property
    def source(self) -> PostgresSource:
        """Where they are told."""
        return self._source

    def run(self, *statements: str) -> list[tuple[object, ...]]:
        """Run statements as the superuser, each a transaction; what the last one finds."""
        found: list[tuple[object, ...]] = []
        with closing(psycopg2.connect(self.url)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                    found = cursor.fetchall() if cursor.description is not None else []
        return found

    def slot(self, column: str) -> object:
        """What the server says of the slot."""
        return self.run(f"SELECT {column} FROM pg_replication_slots WHERE slot_name = '{self.settings.slot}'")[0][0]

    def prepare(self) -> None:
        """Make tables, role and publication."""
        self.run(
            "CREATE TABLE users (id int PRIMARY KEY, company_id int, name text, bio text)",
            "ALTER TABLE users REPLICA IDENTITY FULL",
            "CREATE TABLE other (id int PRIMARY KEY)",
            f"DO $$ BEGIN CREATE ROLE {ROLE} LOGIN REPLICATION; EXCEPTION WHEN duplicate_object THEN END $$",
            f"ALTER ROLE {ROLE} REPLICATION",
            "CREATE PUBLICATION told FOR TABLE users",
        )

    async def insert(self, *users: tuple[int, int | None]) -> None:
        values = ", ".join(f"({user}, {'NULL' if company is None else company})" for user, company in users)
        await asyncio.to_thread(self.run, f"INSERT INTO users (id, company_id) VALUES {values}")

    async def move(self, user: int, company: int | None) -> None:
        to = "NULL" if company is None else company
        await asyncio.to_thread(self.run, f"UPDATE users SET company_id = {to} WHERE id = {user}")

    async def delete(self, user: int) -> None:
        await asyncio.to_thread(self.run, f"DELETE FROM users WHERE id = {user}")

    async def truncate(self) -> None:
        await asyncio.to_thread(self.run, "TRUNCATE users")


@contextmanager
def starting_postgres(*settings: str) -> Iterator[PostgresServer]:
    """A server of the test's own."""
    # Not under pytest's directory: that is closed to other accounts, and as root PostgreSQL runs as one.
    with tempfile.TemporaryDirectory(prefix="veneer-postgres-") as directory:
        server = PostgresServer(Path(directory), settings=settings)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def users_in_postgres(
    server: PostgresServer, *tables: TableRules, port: int | None = None
) -> Iterator[UsersInPostgres]:
    """A database of its own; afterwards neither it nor its slot is there."""
    name = f"changes_{next(_numbers)}"
    server.create_database(name)
    data = UsersInPostgres(server, name, *tables, port=port)
    try:
        data.prepare()
        yield data
    finally:
        slots = f"FROM pg_replication_slots WHERE slot_name = '{data.settings.slot}'"
        data.run(
            f"SELECT pg_terminate_backend(active_pid, 5000) {slots} AND active",
            f"SELECT pg_drop_replication_slot(slot_name) {slots}",
        )
        server.drop_database(name)
