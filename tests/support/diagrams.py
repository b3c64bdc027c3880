"""Diagrams of states in the docs, made of the tables that the code obeys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import TypeVar

State = TypeVar("State", bound=Enum)
Event = TypeVar("Event", bound=Enum)

DOCS = Path(__file__).parents[2] / "docs"


def state_diagram(first: State, table: Mapping[State, Mapping[Event, State]]) -> str:
    """A table of transitions in Mermaid's words; events that lead to the same state share an arrow."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {_name(first)}"]
    for state, row in table.items():
        arrows: dict[State, list[str]] = {}
        for event, following in row.items():
            arrows.setdefault(following, []).append(str(event.value))
        lines += [f"    {_name(state)} --> {_name(to)}: {', '.join(events)}" for to, events in arrows.items()]
    return "\n".join([*lines, "```"])


def drawn(page: str, heading: str) -> str:
    """The diagram below a heading of a page."""
    text = (DOCS / page).read_text("utf-8")
    found = re.search(rf"^#+ {re.escape(heading)}\n.*?(```mermaid\n.*?```)", text, re.DOTALL | re.MULTILINE)
    assert found is not None, f"{page} has no diagram below {heading!r}"
    return found[1]


def _name(state: Enum) -> str:
    return str(state.value).replace(" ", "_")
