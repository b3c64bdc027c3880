"""The index command on real data: apply, repair, report, recommend."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from etter.db.engine import plain_engine
from etter.db.locks import LockTimeoutError
from etter.indexes.__main__ import main
from etter.indexes.apply import LOCK, IndexBuildError, apply_indexes, drop_indexes
from etter.indexes.files import Wanted, default_directory, read_files
from etter.indexes.recommend import recommend
from etter.indexes.report import status, unused
from etter.migrate import migrate
from etter.queries.named import NAMED, Sample
from etter.seed.load import seed
from etter.services.explain import explain
from etter.settings import load_settings
from tests.integration.etter.conftest import Start


@pytest.fixture(scope="module")
def engine(database_url: str) -> Engine:
    migrate(database_url)
    engine = plain_engine(database_url)
    seed(engine, "tiny", quiet=True)
    return engine


@pytest.fixture
def wanted() -> Wanted:
    return read_files(default_directory())


def quiet(_line: str) -> None:
    """Say nothing."""


def test_apply_is_idempotent(engine: Engine, wanted: Wanted) -> None:
    lines: list[str] = []
    assert apply_indexes(engine, wanted, lines.append) == len(wanted.indexes) == len(lines)
    assert apply_indexes(engine, wanted, quiet) == 0
    assert not [line for line in status(engine, wanted) if "missing" in line or "invalid" in line]


async def test_indexes_are_built_at_start(engine: Engine, wanted: Wanted, database_url: str, start: Start) -> None:
    drop_indexes(engine, wanted, quiet)
    await start(
        load_settings({"DATABASE_URL": database_url, "ETTER_APPLY_INDEXES": "true", "ENVIRONMENT": "development"})
    )
    async with asyncio.timeout(60):
        while [line for line in status(engine, wanted) if "missing" in line or "invalid" in line]:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)


def test_invalid_leftovers_are_rebuilt(engine: Engine, wanted: Wanted) -> None:
    apply_indexes(engine, wanted, quiet)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'users_company_id_idx'::regclass")
        )
    assert [line for line in status(engine, wanted) if "users_company_id_idx" in line and "invalid" in line]
    lines: list[str] = []
    assert apply_indexes(engine, wanted, lines.append) == 1
    assert lines[0].startswith("repairing users_company_id_idx")


def test_one_that_fails_keeps_none_of_the_others_from_being_built(
    engine: Engine, wanted: Wanted, tmp_path: Path, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    drop_indexes(engine, wanted, quiet)
    for file in default_directory().glob("*.sql"):
        shutil.copy(file, tmp_path)
    impossible = (
        "-- No two people have one name.\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS a_key ON users (bio);\n"
    )
    (tmp_path / "a.sql").write_text(
        impossible + impossible.replace("a_key", "b_key").replace("bio", "nowhere"), "utf-8"
    )
    assert main(["apply", "--database-url", database_url, "--dir", str(tmp_path)]) == 1
    line = capsys.readouterr().err
    assert "a_key (could not create unique index" in line
    assert 'b_key (column "nowhere" does not exist)' in line
    assert not [line for line in status(engine, wanted) if "missing" in line]
    both = read_files(tmp_path)
    with pytest.raises(IndexBuildError):
        apply_indexes(engine, both, quiet)
    with engine.begin() as connection:
        connection.execute(text("DROP INDEX a_key"))


def test_parallel_starts_take_turns(engine: Engine, wanted: Wanted) -> None:
    drop_indexes(engine, wanted, quiet)
    with ThreadPoolExecutor(3) as threads:
        built = list(threads.map(lambda _: apply_indexes(engine, wanted, quiet), range(3)))
    assert sorted(built) == [0, 0, len(wanted.indexes)]


def test_waiting_for_another_start_ends(engine: Engine, wanted: Wanted) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": LOCK})
        with pytest.raises(LockTimeoutError):
            apply_indexes(engine, wanted, quiet, wait_seconds=0.2)


@pytest.fixture
def useless(engine: Engine) -> Iterator[None]:
    with engine.begin() as connection:
        connection.execute(text("CREATE INDEX useless_idx ON documents (body)"))
        connection.execute(text("CREATE INDEX covered_idx ON users (company_id)"))
    yield
    with engine.begin() as connection:
        connection.execute(text("DROP INDEX useless_idx, covered_idx"))


@pytest.mark.usefixtures("useless")
def test_useless_indexes_are_named(engine: Engine, wanted: Wanted) -> None:
    apply_indexes(engine, wanted, quiet)
    lines = unused(engine, wanted)
    assert [line for line in lines if line.startswith("unused: useless_idx on documents")]
    assert "covered: covered_idx by users_company_id_idx" in lines


def test_missing_indexes_are_recommended(engine: Engine, wanted: Wanted) -> None:
    drop_indexes(engine, wanted, quiet)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CREATE EXTENSION IF NOT EXISTS pg_stat_statements"))
        connection.execute(text("ANALYZE"))
        for user in range(20):
            connection.execute(
                text("SELECT count(*) FROM user_workflow_history WHERE status = :state AND user_id = :user"),
                {"state": "done", "user": user},
            )
    lines = recommend(engine, wanted)
    assert any("ON user_workflow_history (status, user_id);  -- 20 calls" in line for line in lines) or any(
        "ON user_workflow_history (user_id, status);  -- 20 calls" in line for line in lines
    )
    foreign = [line for line in lines if "deleting what user_id refers to" in line]
    assert any("user_workflow_history" in line for line in foreign)
    apply_indexes(engine, wanted, quiet)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SELECT pg_stat_statements_reset()"))
    assert recommend(engine, wanted) == ["nothing to recommend"]


def test_without_statement_statistics_scans_are_named(engine: Engine, wanted: Wanted) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("DROP EXTENSION IF EXISTS pg_stat_statements"))
    assert recommend(engine, wanted)[0].startswith("pg_stat_statements is not loaded")


@pytest.mark.parametrize("command", ["apply", "status", "analyze", "recommend", "unused", "drop"])
def test_commands_run(database_url: str, engine: Engine, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert str(engine.url.database) in database_url
    assert main([command, "--database-url", database_url]) == 0
    assert main([command, "--database-url", database_url, "--dir", "/nowhere"]) == 2
    assert "no index files" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(NAMED))
def test_every_named_statement_can_be_explained(engine: Engine, name: str) -> None:
    with Session(engine) as session:
        explained = explain(session, name, Sample(7, 42, 5, "o'hara%@company7.example"))
    assert b"Actual Rows" in bytes(explained.plan)
