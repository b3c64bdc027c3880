"""One meaning for a word: no two classes of a product have one name, and none is one to look up."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCTS = (ROOT / "proxy" / "veneer", ROOT / "backend" / "etter")


def classes(files: Iterable[Path]) -> dict[str, list[str]]:
    """Where each class name is defined."""
    found = defaultdict(list)
    for file in files:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(f"{file}:{node.lineno}")
    return found


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda path: path.name)
def test_no_two_classes_have_one_name(product: Path) -> None:
    twice = {name: places for name, places in classes(product.rglob("*.py")).items() if len(places) > 1}
    assert not twice, "give one of each another name"


def test_two_classes_of_one_name_would_be_found(tmp_path: Path) -> None:
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text("class Lease: ...\n", "utf-8")
    assert len(classes(tmp_path.rglob("*.py"))["Lease"]) == 2
