"""Targets and whether a run met them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


class Target(msgspec.Struct, frozen=True):
    """A target of the requirements and whether the run met it."""

    text: str
    measured: str
    met: bool


def target_table(found: Iterable[Target]) -> list[str]:
    """The targets as lines of a Markdown table."""
    rows = [f"| {one.text} | {one.measured} | {'yes' if one.met else '**no**'} |" for one in found]
    return ["| target | measured | met |", "|---|---:|---|", *rows]
