"""No import circles within a room; imports for types alone count, as a reader has to follow them as well."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.support.sources import imported_names

PRODUCT = Path(__file__).parents[2] / "proxy"

LEFT = {"ports"}
"""Rooms with a circle still. Whoever breaks it up takes the room out."""
ROOMS = sorted(file.parent.name for file in (PRODUCT / "veneer").glob("*/__init__.py"))


def imported(file: Path) -> Iterator[str]:
    """The modules of the product that a file names, wherever it does."""
    for module, names in imported_names(file):
        yield module
        yield from (f"{module}.{name}" for name in names)


def graph(room: Path, package: str) -> dict[str, set[str]]:
    """Which module of the room needs which others of it."""
    files = {f"{package}.{'.'.join(file.relative_to(room).with_suffix('').parts)}": file for file in room.rglob("*.py")}
    return {
        name: {other for other in imported(file) if other in files and other != name} for name, file in files.items()
    }


@pytest.mark.parametrize("room", [room for room in ROOMS if room not in LEFT])
def test_a_room_has_no_circle(room: str) -> None:
    TopologicalSorter(graph(PRODUCT / "veneer" / room, f"veneer.{room}")).prepare()


def test_a_circle_by_types_alone_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from a.two import B\n")
    (tmp_path / "two.py").write_text("import a.one\n")
    with pytest.raises(CycleError):
        TopologicalSorter(graph(tmp_path, "a")).prepare()
