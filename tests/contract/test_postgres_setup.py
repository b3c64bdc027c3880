"""`veneer changes setup` makes a database tell its changes, with the least rights; `status` says how it stands."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from devstack.postgres import PostgresServer
from tests.support.change_sources import following
from tests.support.postgres_changes import starting_postgres
from tests.support.shared_log import until
from veneer.changes.opening import open_source
from veneer.cli.main import main
from veneer.policy.load import load_policy
from veneer.policy.model_changes import PostgresRules

ROLE = "least_of_all"


def _policies(directory: Path, server: PostgresServer) -> Path:
    file = directory / "policies.yaml"
    dsn = f"postgresql://{ROLE}@127.0.0.1:{server.port}/set_up"
    file.write_text(
        f"version: 1\nchanges:\n  main:\n    postgres: {{dsn: '{dsn}', slot: set_up, publication: told}}\n    tables:\n"
        '      users: {tags: ["user:{id}", "company:{company_id}"]}\n      logins: {tags: ["login:{id}"]}\n',
        "utf-8",
    )
    return file


async def test_a_plain_database_is_set_up_once_or_again(
    tmp_path: Path, postgres_server: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    admin = postgres_server.create_database("set_up")
    with closing(psycopg2.connect(admin)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("CREATE TABLE users (id int PRIMARY KEY, company_id int)")
        cursor.execute("CREATE TABLE logins (id int PRIMARY KEY)")
        try:
            await _set_up_and_follow(str(_policies(tmp_path, postgres_server)), admin, cursor, capsys)
        finally:
            _drop_slot(cursor)
    postgres_server.drop_database("set_up")


async def test_names_keep_their_capitals(
    tmp_path: Path, postgres_server: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    admin = postgres_server.create_database("set_up")
    text = _policies(tmp_path, postgres_server).read_text("utf-8").partition("    tables:\n")[0]
    file = tmp_path / "policies.yaml"
    lines = "{tags: ['order:{orderId}', {tag: 'order:{orderId}:state', changed: [State]}]}"
    file.write_text(f"{text}    tables:\n      Shop.OrderLines: {lines}\n", "utf-8")
    with closing(psycopg2.connect(admin)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(
            'CREATE SCHEMA "Shop"; CREATE TABLE "Shop".orderlines (); CREATE TABLE "Shop"."OrderLines" '
            '("lineId" int PRIMARY KEY, "orderId" int, "State" text)'
        )
        try:
            assert await _run("changes", "setup", str(file), "--admin-dsn", admin, "--run") == 0, capsys.readouterr()
            assert await _run("changes", "status", str(file)) == 0, capsys.readouterr()
            async with following(open_source(load_policy(file).changes[0], None)) as seen:
                cursor.execute("""INSERT INTO "Shop"."OrderLines" VALUES (1, 7, 'new')""")
                await seen.until_tags("order:7", "order:7:state")
        finally:
            _drop_slot(cursor)
    postgres_server.drop_database("set_up")


def _drop_slot(cursor: psycopg2.extensions.cursor) -> None:
    slot = "FROM pg_replication_slots WHERE slot_name = 'set_up'"
    cursor.execute(f"SELECT pg_terminate_backend(active_pid, 5000) {slot} AND active")
    cursor.execute(f"SELECT pg_drop_replication_slot(slot_name) {slot}")


async def _set_up_and_follow(
    file: str, admin: str, cursor: psycopg2.extensions.cursor, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await _run("changes", "status", file) == 1
    capsys.readouterr()
    assert await _run("changes", "setup", file, "--admin-dsn", admin) == 0
    needed = capsys.readouterr().out
    assert "IDENTITY FULL" in needed
    assert "logins" in needed
    assert '"logins" REPLICA IDENTITY' not in needed, "its primary key is enough"
    assert "wal_level" not in needed, "it is logical already"
    assert await _run("changes", "status", file) == 1, "nothing was carried out"
    for _ in range(2):
        assert await _run("changes", "setup", file, "--admin-dsn", admin, "--run") == 0
    capsys.readouterr()
    assert await _run("changes", "status", file, "--json") == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["right"], told["problems"]) == (True, [])
    assert (told["slot"]["read_by_pid"], told["slot"]["wal_status"]) == (None, "reserved")
    assert await _run("changes", "status", file) == 0
    assert "main: right\n  slot set_up: read by nobody, reserved, confirmed up to " in capsys.readouterr().out

    async with following(open_source(load_policy(Path(file)).changes[0], None)) as seen:
        cursor.execute("SET synchronous_commit = on")
        cursor.execute("INSERT INTO users VALUES (1, 7); INSERT INTO logins VALUES (3)")
        await seen.until_tags("user:1", "company:7", "login:3")
    await until(lambda: not _connections(cursor))
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        _read_as_the_role(file)


def _connections(cursor: psycopg2.extensions.cursor) -> list[tuple[object, ...]]:
    cursor.execute(f"SELECT pid FROM pg_stat_activity WHERE usename = '{ROLE}'")
    return cursor.fetchall()


def _read_as_the_role(file: str) -> None:
    kind = load_policy(Path(file)).changes[0].kind
    assert isinstance(kind, PostgresRules)
    with closing(psycopg2.connect(kind.dsn)) as reader, reader.cursor() as cursor:
        cursor.execute("SELECT FROM users")


async def _run(*arguments: str) -> int:
    """The command in a thread: it has a loop of its own."""
    return await asyncio.to_thread(main, arguments)


def test_setup_stops_where_a_restart_has_to_come_first(capsys: pytest.CaptureFixture[str]) -> None:
    with starting_postgres("wal_level=replica") as server:
        admin = server.create_database("set_up")
        with closing(psycopg2.connect(admin)) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE users (id int PRIMARY KEY, company_id int)")
            cursor.execute("CREATE TABLE logins (id int PRIMARY KEY)")
            connection.commit()
        file = str(_policies(server.directory, server))
        assert main(["changes", "setup", file, "--admin-dsn", admin, "--run"]) == 1
        said = capsys.readouterr()
        assert "ALTER SYSTEM SET wal_level = 'logical';" in said.out
        assert "restarted" in said.err
        assert main(["changes", "status", file]) == 1
        assert "wrong: wal_level is replica" in capsys.readouterr().out
