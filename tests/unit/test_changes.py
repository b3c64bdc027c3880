"""Each file in changes/ becomes an entry of CHANGELOG.md."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_change_has_a_known_kind_and_is_told() -> None:
    towncrier = Path(sys.executable).parent / "towncrier"
    command = [str(towncrier), "build", "--draft", "--version", "1.0.0"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
    joined = " ".join(told.split())
    for change in (ROOT / "changes").glob("*.md"):
        if change.name != "README.md":
            assert " ".join(change.read_text("utf-8").split()) in joined, f"{change.name} is of no kind that is known"
