"""docs/requirements.md names only what exists, and every row of the inventory."""

from __future__ import annotations

import re

import pytest

from devstack.process import ROOT
from tests.support.documents import missing, table_rows

DOCUMENT = ROOT / "docs" / "requirements.md"
SHORT = {"B/": "tests/integration/etter/", "S/": "tests/scenarios/", "P/": "tests/unit/veneer/", "U/": "tests/unit/"}
CODE, TESTS = 2, 3


def long(name: str) -> str:
    """A test's path from the root."""
    for short, whole in SHORT.items():
        if name.startswith(short):
            return whole + name.removeprefix(short)
    return name


ROWS = [row for row in table_rows(DOCUMENT) if len(row) == 4 and (row[CODE] or row[TESTS])]


def test_every_row_of_the_inventory_is_there() -> None:
    numbers = re.findall(r"^\| (\d+) \|", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    assert sorted(set(map(int, numbers))) == list(range(1, 32))
    assert len(ROWS) >= 70


@pytest.mark.parametrize("name", sorted({name for row in ROWS for name in row[CODE]}))
def test_the_files_exist(name: str) -> None:
    assert missing(name) is None


@pytest.mark.parametrize("name", sorted({name for row in ROWS for name in row[TESTS]}))
def test_the_tests_exist(name: str) -> None:
    if name.startswith("make "):
        assert re.search(rf"^{name.split()[1]}: ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    else:
        assert "::" in name, "name the test itself"
        assert missing(long(name)) is None
