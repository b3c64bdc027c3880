"""Schema, seed, token and the server process as commands."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import IntegrityError

from devstack.process import ROOT
from etter import migrate as migrate_command
from etter import token as token_command
from etter.db.engine import plain_engine
from etter.db.tables import Base
from etter.indexes.apply import apply_indexes, drop_indexes
from etter.indexes.files import default_directory, read_files
from etter.seed.__main__ import main as seed_main
from etter.seed.load import SeedError, seed
from etter.seed.rows import company_of


def test_schema_is_what_the_classes_say_and_can_be_undone(database_url: str) -> None:
    assert migrate_command.main(["--database-url", database_url]) == 0
    assert migrate_command.main(["--database-url", database_url]) == 0
    engine = plain_engine(database_url)
    tables = set(inspect(engine).get_table_names())
    assert tables == set(Base.metadata.tables) | {"alembic_version"}
    for name, table in Base.metadata.tables.items():
        assert {column["name"] for column in inspect(engine).get_columns(name)} == set(table.columns.keys())
    assert migrate_command.main(["--database-url", database_url, "--revision", "base"]) == 0
    assert set(inspect(engine).get_table_names()) == {"alembic_version"}
    assert migrate_command.main(["--database-url", database_url]) == 0


def test_alembic_itself_finds_nothing_to_change(database_url: str) -> None:
    migrate_command.migrate(database_url)
    engine = plain_engine(database_url)
    apply_indexes(engine, read_files(default_directory()), lambda _line: None)
    own = {**os.environ, "DATABASE_URL": database_url}
    argv = [sys.executable, "-m", "alembic", "-c", str(ROOT / "backend" / "alembic.ini"), "check"]
    done = subprocess.run(argv, env=own, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "No new upgrade operations detected."), done.stderr
    drop_indexes(engine, read_files(default_directory()), lambda _line: None)


def _rows(engine: Engine, statement: str) -> list[tuple[object, ...]]:
    with engine.begin() as connection:
        result = connection.execute(text(statement))
        return [tuple(row) for row in result] if result.returns_rows else []


def _with_runs_of_before(database_url: str) -> Engine:
    """A database as it was before runs had a company, with people and runs."""
    migrate_command.migrate(database_url, "base")
    migrate_command.migrate(database_url, "0001")
    engine = plain_engine(database_url)
    _rows(engine, "INSERT INTO companies (name, industry, country) SELECT n, '-', '-' FROM generate_series(1, 3) n")
    _rows(
        engine,
        "INSERT INTO users (company_id, email, name, title) "
        "SELECT n, 'Person' || n || '@X.example', '-', '-' FROM generate_series(1, 3) n",
    )
    _rows(engine, "INSERT INTO workflows (name, description, function, status) VALUES ('-', '-', '-', 'active')")
    _rows(
        engine,
        "INSERT INTO user_workflow_history (user_id, workflow_id, status) "
        "SELECT 1 + n % 3, 1, 'done' FROM generate_series(1, 50000) n",
    )
    return engine


def test_runs_get_their_company_beside_the_version_before(database_url: str) -> None:
    engine = _with_runs_of_before(database_url)
    try:
        migrate_command.migrate(database_url, "0002")
        both = "user_workflow_history run JOIN users person ON person.id = run.user_id"
        right = f"SELECT count(*) FROM {both} WHERE run.company_id = person.company_id"
        assert _rows(engine, right) == [(50_000,)]
        # A service of the version before names no company.
        _rows(engine, "INSERT INTO user_workflow_history (user_id, workflow_id, status) VALUES (3, 1, 'done')")
        assert _rows(engine, "SELECT company_id FROM user_workflow_history ORDER BY id DESC LIMIT 1") == [(3,)]
        assert migrate_command.main(["--database-url", database_url]) == 0
        assert _rows(engine, "SELECT email FROM users WHERE id = 1") == [("person1@x.example",)]
    finally:
        migrate_command.migrate(database_url, "base")


def test_a_long_statement_is_not_waited_for(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    engine = _with_runs_of_before(database_url)
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT count(*) FROM user_workflow_history"))
            assert migrate_command.main(["--database-url", database_url]) == 1
        assert "lock timeout" in capsys.readouterr().err
        assert migrate_command.main(["--database-url", database_url]) == 0
    finally:
        migrate_command.migrate(database_url, "base")


def test_addresses_of_several_users_are_told_and_not_touched(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = _with_runs_of_before(database_url)
    try:
        _rows(engine, "UPDATE users SET email = 'person1@x.example' WHERE id = 2")
        assert migrate_command.main(["--database-url", database_url]) == 1
        assert "1 addresses belong to several users, case aside: users 1, 2" in capsys.readouterr().err
        _rows(engine, "UPDATE users SET email = 'Other@x.example' WHERE id = 2")
        assert migrate_command.main(["--database-url", database_url]) == 0
        with pytest.raises(IntegrityError):
            _rows(engine, "UPDATE users SET email = 'PERSON1@x.example' WHERE id = 2")
    finally:
        migrate_command.migrate(database_url, "base")


async def test_starts_at_the_same_time_take_turns(database_url: str) -> None:
    await asyncio.to_thread(migrate_command.migrate, database_url, "base")
    starts = [asyncio.to_thread(migrate_command.migrate, database_url) for _ in range(3)]
    await asyncio.wait_for(asyncio.gather(*starts), 60)
    assert inspect(plain_engine(database_url)).has_table("users")


def test_seed_is_deterministic_and_done_once(database_url: str) -> None:
    migrate_command.migrate(database_url)
    engine = plain_engine(database_url)
    assert seed(engine, "tiny", quiet=True) is True
    assert seed(engine, "tiny", quiet=True) is False
    with pytest.raises(SeedError, match="tiny"):
        seed(engine, "demo", quiet=True)
    assert seed_main(["--database-url", database_url, "--size", "demo"]) == 1
    with engine.connect() as connection:
        email = connection.execute(text("SELECT email FROM users WHERE id = 42")).scalar_one()
        company = connection.execute(text("SELECT company_id FROM users WHERE id = 42")).scalar_one()
        following = connection.execute(text("SELECT nextval(pg_get_serial_sequence('users', 'id'))")).scalar_one()
    # Changing the data set changes what others rely on: benchmarks, examples, this line.
    assert email == "nadia.costa.42@company7.example"
    assert company == company_of(42, 8) == company_of(42, 500) == 7
    assert following == 241


def test_other_data_is_not_touched(database_url: str) -> None:
    engine = plain_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM seed_state"))
    with pytest.raises(SeedError, match="other data"):
        seed(engine, "tiny", quiet=True)


def test_unreachable_databases_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/none"
    assert migrate_command.main(["--database-url", nowhere]) == 1
    assert seed_main(["--database-url", nowhere]) == 1
    assert "refused" in capsys.readouterr().err


def test_development_tokens(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ETTER_TOKEN_SECRET", raising=False)
    monkeypatch.setenv("ENVIRONMENT", "development")
    assert token_command.main(["--user", "42", "--company", "7"]) == 0
    assert capsys.readouterr().out.count(".") == 2
    monkeypatch.setenv("ETTER_TOKEN_SECRET", "a real one, of 32 bytes at the least")
    assert token_command.main(["--user", "42", "--company", "7"]) == 0
    monkeypatch.delenv("ENVIRONMENT")
    assert token_command.main(["--user", "42", "--company", "7"]) == 1
    assert "ENVIRONMENT=development" in capsys.readouterr().err
    monkeypatch.setenv("ENVIRONMENT", "development")
    monkeypatch.setenv("DB_POOL_SIZE", "none")
    assert token_command.main(["--user", "42", "--company", "7"]) == 2
