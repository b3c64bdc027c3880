"""docs/rfc9111.md names only what exists."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from checks.conformance.suite import REPOSITORY, load, suite_file
from tests.support.documents import missing, table_rows

DOCUMENT = REPOSITORY / "docs" / "rfc9111.md"
TESTS = {"s:": "tests/scenarios", "u:": "tests/unit/veneer/core"}


def rows() -> list[tuple[list[str], list[str]]]:
    """What each row of the tables names as code and as tests."""
    named = [(row[2], row[3]) for row in table_rows(DOCUMENT)]
    return [row for row in named if row[0] or row[1]]


def test_the_tables_are_read() -> None:
    assert len(rows()) > 40


@pytest.mark.parametrize("name", sorted({name for code, _ in rows() for name in code}))
def test_the_code_exists(name: str) -> None:
    if "/" in name:
        assert missing(name) is None
        return
    module, _, attribute = name.partition(".")
    assert hasattr(importlib.import_module(f"veneer.core.{module}"), attribute)


@pytest.mark.parametrize("name", sorted({name for _, tests in rows() for name in tests if name[:2] in TESTS}))
def test_the_test_files_exist(name: str) -> None:
    assert missing(f"{TESTS[name[:2]]}/{name[2:]}") is None


@pytest.mark.skipif(not suite_file().exists(), reason="the public suite is not here")
def test_the_tests_of_the_suite_exist() -> None:
    suite = load(Path(suite_file()))
    names = {name for _, tests in rows() for name in tests if name[:2] not in TESTS}
    assert suite.select(names)
    covered = {test.id for test in suite.select(names)}
    assert len(covered) > 340
