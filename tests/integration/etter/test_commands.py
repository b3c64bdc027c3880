"""Schema, seed, token and the server process as commands."""

from __future__ import annotations

import pytest
from sqlalchemy import inspect, text

from etter import migrate as migrate_command
from etter import token as token_command
from etter.db.engine import plain_engine
from etter.db.tables import Base
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
    assert token_command.main(["--user", "42", "--company", "7", "--pass"]) == 0
    assert capsys.readouterr().out.startswith("7.")
    monkeypatch.setenv("ETTER_TOKEN_SECRET", "a real one, of 32 bytes at the least")
    assert token_command.main(["--user", "42", "--company", "7"]) == 1
    monkeypatch.setenv("DB_POOL_SIZE", "none")
    assert token_command.main(["--user", "42", "--company", "7"]) == 2
