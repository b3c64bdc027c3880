"""docs/threat-model.md names only tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
NAMED = sorted(
    set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (REPOSITORY / "docs/threat-model.md").read_text("utf-8")))
)


def test_the_tables_are_read() -> None:
    assert len(NAMED) > 30


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_the_test_exists(path: str, name: str) -> None:
    assert re.search(rf"^(async )?def {name}\(", (REPOSITORY / path).read_text("utf-8"), re.MULTILINE)
