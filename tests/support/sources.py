"""What tests of the house read of Python sources."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")


def statements(file: Path) -> Iterator[ast.AST]:
    """Every statement of a file, however deep, in no order; not the expressions, which are most of a tree."""
    left: list[ast.AST] = list(ast.parse(file.read_text("utf-8")).body)
    while left:
        node = left.pop()
        yield node
        for block in _BLOCKS:
            left += getattr(node, block, ())


@cache
def imported_names(file: Path) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The absolute imports of a file, wherever they stand: each module, with what is taken out of it."""
    found: list[tuple[str, tuple[str, ...]]] = []
    for node in statements(file):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            found.append((node.module, tuple(alias.name for alias in node.names)))
        elif isinstance(node, ast.Import):
            found += [(alias.name, ()) for alias in node.names]
    return tuple(found)
