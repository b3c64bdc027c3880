"""Files that are made from the code: each module that makes one can be run with the path to write it to."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path


def write_generated(render: Callable[[], str], usage: str, arguments: Sequence[str]) -> int:
    """Write what is rendered to the one path given; returns the exit status. `usage` is how it is called."""
    if len(arguments) != 1:
        sys.stderr.write(f"usage: {usage}\n")
        return 2
    Path(arguments[0]).write_text(render(), encoding="utf-8")
    return 0
