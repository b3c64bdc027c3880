"""Index files are strict."""

from __future__ import annotations

from pathlib import Path

import pytest

from etter.indexes.files import IndexFileError, default_directory, read_files
from etter.indexes.recommend import propose

GOOD = "-- Why.\nCREATE INDEX CONCURRENTLY IF NOT EXISTS a_b_idx\n    ON a (b);\n"


def test_shipped_files_hold_the_listed_indexes() -> None:
    wanted = read_files(default_directory())
    assert {extension.name for extension in wanted.extensions} == {"pg_trgm"}
    assert {(index.table, index.sql.partition("(")[2].partition(")")[0]) for index in wanted.indexes} >= {
        ("users", "email text_pattern_ops, is_active"),
        ("users", "name gin_trgm_ops"),
    }
    assert all(len(index.reason) > 10 for index in wanted.indexes)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (GOOD.removeprefix("-- Why.\n"), "reason"),
        (GOOD.replace("CONCURRENTLY ", ""), "expected CREATE"),
        (GOOD.replace(";", ""), "semicolon"),
        (GOOD + GOOD, "twice"),
        ("-- Why.\nDROP TABLE users;\n", "expected CREATE"),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "a.sql").write_text(text, encoding="utf-8")
    with pytest.raises(IndexFileError, match=problem):
        read_files(tmp_path)


def test_an_empty_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IndexFileError, match="no index files"):
        read_files(tmp_path)


@pytest.mark.parametrize(
    ("condition", "columns", "pattern"),
    [
        ("(company_id = $1)", ("company_id",), False),
        ("((created_at > $2) AND (company_id = $1))", ("company_id", "created_at"), False),
        ("((title)::text = $1)", ("title",), False),
        ("(name ~~* $1)", ("name",), True),
        ("(is_active)", None, False),
    ],
)
def test_columns_are_found_in_filters(condition: str, columns: tuple[str, ...] | None, pattern: bool) -> None:
    proposal = propose("t", condition)
    assert (proposal and proposal.columns) == columns
    assert proposal is None or proposal.pattern is pattern
