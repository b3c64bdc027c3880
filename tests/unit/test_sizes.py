"""No file and no function of what is shipped is longer than a reader takes in."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sources import statements

ROOT = Path(__file__).parents[2]
SHIPPED = ("proxy", "backend", "devstack", "checks", "benchmarks")
LONGEST_FILE = 400
LONGEST_FUNCTION = 60


def too_long(file: Path) -> Iterator[str]:
    """What of the file is too long."""
    text = file.read_text("utf-8")
    if (lines := text.count("\n")) > LONGEST_FILE:
        yield f"{file}: {lines} lines"
    for node in statements(file):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > LONGEST_FUNCTION:
                yield f"{file}:{node.lineno}: {node.name} has {lines} lines"


@pytest.mark.parametrize("folder", SHIPPED)
def test_files_and_functions_are_short(folder: str) -> None:
    assert not [found for file in (ROOT / folder).rglob("*.py") for found in too_long(file)]


def test_long_ones_would_be_found(tmp_path: Path) -> None:
    file = tmp_path / "one.py"
    file.write_text("def f():\n" + "    pass\n" * LONGEST_FUNCTION + "\n" * LONGEST_FILE, "utf-8")
    assert len(list(too_long(file))) == 2
