"""A real PostgreSQL that is followed: everything that can come between, and what is said of it."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Iterator
from contextlib import closing, suppress

import psycopg2
import pytest

from checks.relay import relay
from devstack.postgres import PostgresServer
from tests.support.change_sources import ALL_TAGS, USERS, Following, flat, following
from tests.support.postgres_changes import UsersInPostgres, starting_postgres, users_in_postgres
from tests.support.shared_log import until
from veneer.changes.postgres.problems import PostgresProblem
from veneer.changes.postgres.watch import CHANGED
from veneer.core.postgres import parse_lsn
from veneer.core.row_changes import ColumnTemplate, TableRules
from veneer.policy.model_changes import PostgresRules
from veneer.ports.changes import SourceError


@pytest.fixture
def users(postgres_server: PostgresServer) -> Iterator[UsersInPostgres]:
    with users_in_postgres(postgres_server) as data:
        yield data


async def _lost(seen: Following) -> SourceError:
    with pytest.raises(SourceError) as error:
        await seen.until(lambda: False)
    return error.value


# What a transaction tells.


async def test_a_transaction_that_nobody_sees_yet_is_not_told(users: UsersInPostgres) -> None:
    """Its commit stands in the log while it waits for a standby; whoever asks the database gets the old rows."""
    async with following(users.source) as seen:
        users.run("ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()")
        try:
            statements = ("SET synchronous_commit = on", "INSERT INTO users (id) VALUES (1)")
            waiting = asyncio.create_task(asyncio.to_thread(users.run, *statements))  # noqa: TID251
            await until(lambda: bool(users.run("SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'")))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await seen.until(lambda: bool(seen.items))
            assert users.run("SELECT FROM users") == []
        finally:
            users.run("ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")
        await waiting
        await seen.until_tags("user:1", "users")


async def test_a_long_transaction_elsewhere_delays_nothing(users: UsersInPostgres) -> None:
    async with following(users.source) as seen:
        with closing(psycopg2.connect(users.url)) as other, other.cursor() as cursor:
            cursor.execute("INSERT INTO other VALUES (1)")
            await users.insert((1, 7))
            await seen.until_tags("user:1", "users", "company:7")


async def test_a_hundred_thousand_rows_take_no_memory_and_let_others_run(users: UsersInPostgres) -> None:
    async with following(users.source) as seen:
        filler = "INSERT INTO users SELECT n, n % 5000, 'name', repeat('x', 200) FROM generate_series(1, 100000) n"
        await asyncio.to_thread(users.run, filler)
        tracemalloc.start()
        try:
            await seen.until_tags("users", "user:*", "company:*")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 4_000_000, "of twenty million bytes"
        await users.move(1, 3)
        await seen.until_tags("user:1", "users", "company:1", "company:3")


async def test_an_unchanged_long_value_is_known_from_the_old_row(postgres_server: PostgresServer) -> None:
    rules = TableRules("public.users", (ColumnTemplate(("name:", ""), ("name",)),), ignore=frozenset({"bio"}))
    with users_in_postgres(postgres_server, rules) as data:
        data.run(
            "ALTER TABLE users ALTER COLUMN name SET STORAGE EXTERNAL",
            "INSERT INTO users (id, name) VALUES (1, repeat('n', 900) || repeat('m', 9000)), (2, 'two')",
        )
        async with following(data.source) as seen:
            data.run("UPDATE users SET bio = 'b'", "UPDATE users SET company_id = 2 WHERE id = 2")
            data.run("UPDATE users SET company_id = 2 WHERE id = 1")
            await seen.until_beat("all")
            assert seen.tags == [("name:two",), ("name:*",)], "the first changes an ignored column alone"


async def test_the_primary_key_is_enough_for_tags_of_the_primary_key(postgres_server: PostgresServer) -> None:
    rules = TableRules("public.users", (ColumnTemplate(("user:", ""), ("id",)),))
    with users_in_postgres(postgres_server, rules) as data:
        data.run("ALTER TABLE users REPLICA IDENTITY DEFAULT")
        async with following(data.source) as seen:
            data.run("INSERT INTO users VALUES (1, 1)", "UPDATE users SET name = 'n'", "UPDATE users SET id = 2")
            data.run("DELETE FROM users")
            await seen.until_beat("all")
            assert seen.tags == [("user:1",), ("user:1",), ("user:1", "user:2"), ("user:2",)]


async def test_partitions_are_told_by_the_name_of_their_table(postgres_server: PostgresServer) -> None:
    rules = TableRules("public.runs", (ColumnTemplate(("run:", ""), ("id",)),))
    with users_in_postgres(postgres_server, USERS, rules) as data:
        data.run(
            "CREATE TABLE runs (id int, at int, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)",
            "CREATE TABLE runs_1 PARTITION OF runs FOR VALUES FROM (0) TO (10)",
            "CREATE TABLE runs_2 PARTITION OF runs FOR VALUES FROM (10) TO (20)",
            "ALTER PUBLICATION told ADD TABLE runs",
        )
        found = await data.source.inspect()
        assert [one.problem for one in found if not one.warning] == [PostgresProblem.PUBLICATION]
        data.run(*found[0].sql)
        async with following(data.source) as seen:
            data.run("INSERT INTO runs VALUES (1, 5)", "UPDATE runs SET at = 15", "TRUNCATE runs")
            await seen.until_beat("all")
            assert flat(seen.tags) == ["run:1", "run:1", "run:*"]


# What cannot be told.


async def test_a_table_that_is_published_and_has_no_tags_means_everything(users: UsersInPostgres) -> None:
    async with following(users.source) as seen:
        users.run("ALTER PUBLICATION told ADD TABLE other", "INSERT INTO other VALUES (1)")
        await seen.until_tags(*ALL_TAGS)
        assert "public.other" in seen.committed[-1].gap


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("ALTER TABLE users DROP COLUMN company_id", "public.users has no company_id"),
        ("ALTER TABLE users RENAME COLUMN company_id TO company", "public.users has no company_id"),
        ("ALTER TABLE users RENAME TO people", "public.people"),
        ("ALTER TABLE users REPLICA IDENTITY DEFAULT", "replica identity of public.users does not hold company_id"),
    ],
)
async def test_a_change_of_the_table_that_breaks_its_rules_means_everything(
    users: UsersInPostgres, statement: str, why: str
) -> None:
    async with following(users.source) as seen:
        users.run("INSERT INTO users (id) VALUES (1)", statement)
        await seen.until_beat("changed")
        table = "people" if "people" in statement else "users"
        users.run(f"INSERT INTO {table} (id) VALUES (2)")
        await seen.until_beat("all")
        assert seen.tags == [("user:1", "users"), ALL_TAGS]
        assert why in seen.committed[-1].gap


async def test_a_table_that_is_published_no_more_is_noticed(users: UsersInPostgres) -> None:
    async with following(users.source) as seen:
        users.run("ALTER PUBLICATION told DROP TABLE users", "INSERT INTO users VALUES (1, 1)")
        error = await _lost(seen)
        assert (str(error), error.lasting) == (CHANGED, False)
    with pytest.raises(SourceError, match=r"does not hold public\.users") as refused:
        await users.source.open()
    assert refused.value.lasting
    users.run(*refused.value.sql)
    async with following(users.source, past_first=False) as again:
        await again.until_beat("again")
        assert [(item.tags, item.gap) for item in again.committed] == [(ALL_TAGS, CHANGED)]


async def test_a_table_that_is_dropped_is_noticed(users: UsersInPostgres) -> None:
    async with following(users.source) as seen:
        users.run("DROP TABLE users")
        assert str(await _lost(seen)) == CHANGED


async def test_what_is_kept_for_the_slot_is_said_once_it_is_much(
    users: UsersInPostgres, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("veneer.changes.postgres.watch.MUCH_KEPT_BYTES", 1)
    async with following(users.source):
        await until(lambda: "of the write-ahead log are kept for it, and it is reserved" in caplog.text)


async def test_another_column_breaks_nothing(users: UsersInPostgres) -> None:
    async with following(users.source) as seen:
        users.run("ALTER TABLE users ADD COLUMN more text, DROP COLUMN name", "INSERT INTO users VALUES (1, 2)")
        await seen.until_tags("user:1", "users", "company:2")


# What comes between.


async def test_a_cut_connection_is_a_passing_error_and_nothing_is_missed(postgres_server: PostgresServer) -> None:
    async with relay(postgres_server.port) as between:
        with users_in_postgres(postgres_server, port=between.port) as data:
            async with following(data.source) as seen:
                between.cut()
                assert not (await _lost(seen)).lasting
                with pytest.raises(SourceError) as error:
                    await data.source.open()
                assert not error.value.lasting
                await data.insert((1, 7))
                between.mend()
            async with following(data.source, past_first=False) as again:
                await again.until_beat("again")
                assert again.tags == [("user:1", "users", "company:7")]


async def test_a_restarted_server_has_missed_nothing() -> None:
    with starting_postgres() as server, users_in_postgres(server) as data:
        async with following(data.source) as seen:
            await data.insert((1, 7))
            server.stop()
            error = await _lost(seen)
            assert not error.lasting
            with pytest.raises(SourceError) as refused:
                await data.source.open()
            assert not refused.value.lasting
            server.start()
        await data.insert((2, 7))
        async with following(data.source, past_first=False) as again:
            await again.until_beat("again")
            assert flat(again.tags)[-3:] == ["user:2", "users", "company:7"]
            assert "user:1" in flat(seen.tags) + flat(again.tags)


async def test_a_slot_that_somebody_dropped_is_made_anew_and_means_everything(users: UsersInPostgres) -> None:
    async with following(users.source) as seen:
        assert seen.stream.origin is not None
        slot = f"FROM pg_replication_slots WHERE slot_name = '{users.settings.slot}'"
        users.run(f"SELECT pg_terminate_backend(active_pid, 5000) {slot}")
        assert not (await _lost(seen)).lasting
        users.run(f"SELECT pg_drop_replication_slot(slot_name) {slot}", "INSERT INTO users VALUES (1, 1)")
    async with following(users.source, past_first=False) as again:
        await again.until_beat("again")
        assert again.tags == [ALL_TAGS]
        assert "new" in again.committed[0].gap


async def test_a_slot_that_lost_its_log_is_made_anew_and_means_everything() -> None:
    with starting_postgres("max_slot_wal_keep_size=16MB") as server, users_in_postgres(server) as data:
        async with following(data.source):
            pass
        data.run("INSERT INTO users VALUES (1, 1)")
        for number in range(6):
            data.run(f"INSERT INTO other VALUES ({number})", "SELECT pg_switch_wal()", "CHECKPOINT")
        assert data.slot("wal_status") == "lost"
        slot = await data.source.slot()
        assert slot is not None
        assert slot.is_lost
        async with following(data.source, past_first=False) as again:
            await again.until_beat("again")
            assert again.tags == [ALL_TAGS]
            assert "lost" in again.committed[0].gap
        assert data.slot("wal_status") == "reserved"


async def test_a_slot_from_before_its_publication_is_made_anew(users: UsersInPostgres) -> None:
    async with following(users.source):
        pass
    users.run("DROP PUBLICATION told", "INSERT INTO users VALUES (1, 1)", "CREATE PUBLICATION told FOR TABLE users")
    named: list[tuple[str, ...]] = []
    for _ in range(3):
        with suppress(SourceError):
            async with following(users.source, past_first=False) as again:
                await again.until_beat("again")
                named += again.tags
                break
    else:
        pytest.fail("it cannot be read")
    if int(str(users.run("SHOW server_version_num")[0][0])) < 180_000:
        assert ALL_TAGS in named, "PostgreSQL 18 passes over what no publication was there for"


async def test_a_slot_that_another_reader_moved_is_seen_by_its_position(users: UsersInPostgres) -> None:
    async with following(users.source) as seen:
        await users.insert((1, 1))
        await seen.until_beat("one")
        known = seen.items[-1].position
        seen.confirm_all()
    async with following(users.source, past_first=False) as again:
        assert _at(again) <= (parse_lsn(known) or 0)
    users.run("SET synchronous_commit = on", "INSERT INTO users VALUES (2, 2)")
    users.run(
        f"SELECT pg_logical_slot_get_binary_changes('{users.settings.slot}', NULL, NULL, "
        "'proto_version', '1', 'publication_names', 'told')"
    )
    async with following(users.source, past_first=False) as again:
        assert _at(again) > (parse_lsn(known) or 0)


def _at(seen: Following) -> int:
    origin = seen.stream.origin
    assert origin is not None
    return parse_lsn(origin.confirmed) or 0


async def test_a_slot_that_is_read_elsewhere_is_a_passing_error(users: UsersInPostgres) -> None:
    async with following(users.source):
        with pytest.raises(SourceError, match=r"another reader has the slot: .* is active for PID \d+") as error:
            await users.source.open()
        assert not error.value.lasting


async def test_a_heartbeat_finds_its_way_again_after_its_connection_was_lost(users: UsersInPostgres) -> None:
    async with following(users.source) as seen:
        users.run(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE query LIKE '%emit%' AND pid <> "
            f"pg_backend_pid() AND datname = '{users.name}'"
        )
        with pytest.raises(SourceError) as error:
            await seen.stream.beat("lost")
        assert not error.value.lasting
        await seen.until_beat("found")
        assert seen.beats == ["found"]


async def test_the_slot_goes_on_though_only_others_write(users: UsersInPostgres) -> None:
    async with following(users.source) as seen:
        before = parse_lsn(str(users.slot("confirmed_flush_lsn"))) or 0
        users.run(*(f"INSERT INTO other VALUES ({number})" for number in range(10)))
        written = parse_lsn(str(users.run("SELECT pg_current_wal_flush_lsn()")[0][0])) or 0
        assert before < written
        await seen.until_beat("later")
        seen.confirm_all()
        await until(lambda: (parse_lsn(str(users.slot("confirmed_flush_lsn"))) or 0) >= written)


async def test_nothing_is_left_behind_when_it_closes(users: UsersInPostgres) -> None:
    connections = f"SELECT FROM pg_stat_activity WHERE application_name = 'veneer main' AND datname = '{users.name}'"
    async with following(users.source):
        assert len(users.run(connections)) == 3
    await until(lambda: not users.run(connections))


async def test_an_opening_that_is_cancelled_leaves_nothing_behind(users: UsersInPostgres) -> None:
    connections = f"SELECT FROM pg_stat_activity WHERE application_name = 'veneer main' AND datname = '{users.name}'"
    for after_s in (0.0, 0.002, 0.005, 0.01, 0.02, 0.04):
        opening = asyncio.create_task(users.source.open())  # noqa: TID251
        await asyncio.sleep(after_s)
        opening.cancel()
        stream = (await asyncio.gather(opening, return_exceptions=True))[0]
        if not isinstance(stream, BaseException):
            await stream.aclose()
    await until(lambda: not users.run(connections))
    async with following(users.source):
        pass


# What is wrong from the beginning.


async def test_a_database_that_is_right_has_nothing_wrong(users: UsersInPostgres) -> None:
    assert [one.problem for one in await users.source.inspect()] == [PostgresProblem.SLOT], "and that is a warning"
    async with following(users.source):
        assert await users.source.inspect() == ()
        slot = await users.source.slot()
    assert slot is not None
    assert (slot.plugin, slot.database, slot.wal_status) == ("pgoutput", users.name, "reserved")
    assert slot.kept_bytes >= 0


@pytest.mark.parametrize(
    ("statement", "problem", "sql"),
    [
        ("DROP TABLE users", PostgresProblem.TABLE, ""),
        ("ALTER TABLE users DROP COLUMN company_id", PostgresProblem.COLUMN, ""),
        ("ALTER TABLE users REPLICA IDENTITY DEFAULT", PostgresProblem.REPLICA_IDENTITY, "IDENTITY FULL"),
        ("ALTER TABLE users REPLICA IDENTITY NOTHING", PostgresProblem.REPLICA_IDENTITY, "IDENTITY FULL"),
        ("ALTER TABLE users SET UNLOGGED", PostgresProblem.TABLE, "SET LOGGED"),
        ("DROP PUBLICATION told", PostgresProblem.PUBLICATION, "CREATE PUBLICATION"),
        ("ALTER PUBLICATION told SET (publish = 'insert')", PostgresProblem.PUBLICATION, "update, delete, truncate"),
        ("ALTER PUBLICATION told SET TABLE other", PostgresProblem.NOT_PUBLISHED, "ADD TABLE"),
        ("ALTER ROLE veneer_reader NOREPLICATION", PostgresProblem.RIGHTS, "REPLICATION"),
        (
            "SELECT pg_create_logical_replication_slot(current_database() || '_slot', 'test_decoding')",
            PostgresProblem.SLOT,
            "'pgoutput'",
        ),
    ],
)
async def test_what_is_wrong_is_a_lasting_error_that_says_what_mends_it(
    users: UsersInPostgres, statement: str, problem: PostgresProblem, sql: str
) -> None:
    if "UNLOGGED" in statement:  # where that is refused while it is published
        statement = f"DROP PUBLICATION told; {statement}; CREATE PUBLICATION told FOR TABLE other"
    if "test_decoding" in statement and not users.run("SELECT FROM pg_proc WHERE probin LIKE '%test_decoding'"):
        try:
            users.run(statement)
        except psycopg2.Error:
            pytest.skip("this server has no other plugin")
    else:
        users.run(statement)
    wrong = [one for one in await users.source.inspect() if not one.warning]
    assert problem in [one.problem for one in wrong]
    with pytest.raises(SourceError) as error:
        await users.source.open()
    assert error.value.lasting
    assert sql in " ".join(error.value.sql)
    statements = [one for one in error.value.sql if "SET LOGGED" not in one]
    if statements and "UNLOGGED" not in statement:
        users.run(*statements)
        async with following(users.source) as seen:
            await users.insert((1, 7))
            await seen.until_tags("user:1", "users", "company:7")


async def test_a_log_that_is_not_logical_is_said_with_the_statement() -> None:
    settings = ("wal_level=replica", "max_slot_wal_keep_size=-1")
    with starting_postgres(*settings) as server, users_in_postgres(server) as data:
        found = {one.problem: one for one in await data.source.inspect()}
        assert found[PostgresProblem.WAL_UNBOUNDED].warning
        with pytest.raises(SourceError, match="wal_level is replica") as error:
            await data.source.open()
        assert error.value.lasting
        assert "wal_level = 'logical'" in error.value.sql[0]


@pytest.mark.parametrize(
    ("change", "lasting"),
    [("dbname=nobody_made_this", True), ("user=nobody", True), ("port=1", False), ("nonsense", True)],
)
async def test_a_database_that_cannot_be_reached_says_whether_that_passes(
    users: UsersInPostgres, change: str, lasting: bool
) -> None:
    parts = {"host": "127.0.0.1", "port": str(users.server.port), "user": "veneer_reader", "dbname": users.name}
    key, _, value = change.partition("=")
    parts[key] = value
    dsn = "nonsense" if change == "nonsense" else " ".join(f"{key}={value}" for key, value in parts.items())
    users.source._settings = PostgresRules(dsn, "slot", "told")
    with pytest.raises(SourceError) as error:
        await users.source.open()
    assert error.value.lasting is lasting
