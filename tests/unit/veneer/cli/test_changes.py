"""What `veneer changes` says without a database, and which sources it speaks of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from veneer.cli.main import main

POLICIES = """
version: 1
changes:
  main:
    postgres: {dsn: "postgresql://reader@127.0.0.1:1/app", slot: one, publication: told}
    tables:
      users: {tags: ["user:{id}"]}
      app.posts: {tags: ["post:{id}"]}
"""


@pytest.fixture
def policies(tmp_path: Path) -> str:
    file = tmp_path / "policies.yaml"
    file.write_text(POLICIES, "utf-8")
    return str(file)


def test_setup_prints_each_statement_in_order(policies: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["changes", "setup", policies]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "-- main"
    assert all(line.endswith(";") for line in lines[1:])
    places = [
        next(at for at, line in enumerate(lines) if text in line)
        for text in (
            "wal_level = 'logical'",
            "max_slot_wal_keep_size",
            'CREATE ROLE "reader" LOGIN',
            'ALTER ROLE "reader" REPLICATION',
            'GRANT CONNECT ON DATABASE "app" TO "reader"',
            'ALTER TABLE "public"."users" REPLICA IDENTITY FULL',
            'ALTER TABLE "app"."posts" REPLICA IDENTITY FULL',
            'CREATE PUBLICATION "told" FOR TABLE "public"."users", "app"."posts"',
            "pg_create_logical_replication_slot('one', 'pgoutput')",
        )
    ]
    assert places == sorted(places)


def test_setup_answers_in_json(policies: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["changes", "setup", policies, "--source", "main", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["source"], told["done"], told["error"]) == ("main", False, None)
    assert "wal_level" in told["sql"][0]


@pytest.mark.parametrize("command", ["setup", "status"])
def test_a_source_that_is_not_there_is_said_with_those_that_are(
    policies: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["changes", command, policies, "--source", "other"]) == 1
    assert 'no source "other"; there is main' in capsys.readouterr().err


def test_a_policy_without_sources_or_that_is_wrong_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "policies.yaml"
    file.write_text("version: 1\n", "utf-8")
    assert main(["changes", "status", str(file)]) == 1
    assert "no source of changes is named" in capsys.readouterr().err
    file.write_text("nonsense: 1\n", "utf-8")
    assert main(["changes", "status", str(file)]) == 1
    assert "nonsense" in capsys.readouterr().err


def test_nothing_is_carried_out_without_an_administrator(policies: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["changes", "setup", policies, "--run"]) == 1
    assert "--admin-dsn" in capsys.readouterr().err


def test_a_database_that_does_not_answer_is_a_failure(policies: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["changes", "status", policies]) == 1
    assert "main: cannot be followed\n  connecting to PostgreSQL: " in capsys.readouterr().out
    assert main(["changes", "setup", policies, "--run", "--admin-dsn", "host=127.0.0.1 port=1"]) == 1
    assert "main: connecting to PostgreSQL: " in capsys.readouterr().err
    assert main(["changes", "status", policies, "--json"]) == 1
    (told,) = json.loads(capsys.readouterr().out)
    assert told["right"] is False
