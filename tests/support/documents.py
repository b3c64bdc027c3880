"""What the tables of a document name in backticks, and whether it exists."""

from __future__ import annotations

import re
from pathlib import Path

from devstack.process import ROOT


def table_rows(document: Path) -> list[list[list[str]]]:
    """The document's table rows, heads and rulers aside; each cell as the names that stand in backticks in it."""
    lines = [line for line in document.read_text("utf-8").splitlines() if line.startswith("| ")]
    cells = [re.split(r"(?<!\\)\|", line.strip().strip("|")) for line in lines]
    return [[re.findall(r"`([^`]+)`", cell) for cell in row] for row in cells]


def missing(name: str) -> str | None:
    """Say what is missing of a path from the repository's root, or of `path::test`; None when all is there."""
    path, _, test = name.partition("::")
    place = ROOT / path
    if not place.exists():
        return f"there is no {path}"
    if test and not re.search(rf"^\s*(?:async )?def {re.escape(test)}\(", place.read_text("utf-8"), re.MULTILINE):
        return f"{path} has no {test}"
    return None
