"""docs/compatibility.md names only tests and scripts that exist."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "compatibility.md").read_text("utf-8")


@pytest.mark.parametrize(("file", "name"), sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE))))
def test_a_test_it_names_is_there(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_it_names_every_script_of_the_findings() -> None:
    scripts = {file.name for file in (ROOT / "findings").glob("*.sh")}
    assert scripts == set(re.findall(r"`findings/([\w-]+\.sh)`", PAGE))
    assert all(os.access(ROOT / "findings" / script, os.X_OK) for script in scripts)
