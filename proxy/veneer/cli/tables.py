"""Tables and figures as commands print them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

WIDEST: Final = 48
"""Characters of a column."""


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines with columns as wide as what stands in them; columns that are empty throughout are left out.

    A column that one long value would push beyond the screen is narrower, and what stands behind that value moves.
    """
    shown = [column for column in range(len(titles)) if any(row[column] for row in rows)]
    lines = [titles, *rows]
    widths = {column: min(WIDEST, max(len(row[column]) for row in lines)) for column in shown}
    for row in lines:
        yield "  ".join(row[column].ljust(widths[column]) for column in shown).rstrip() + "\n"


def share(part: float, whole: float) -> str:
    """A share in percent; "-" of nothing."""
    return f"{100 * part / whole:.1f} %" if whole else "-"


def size(count: float) -> str:
    """Bytes in the largest unit of which there is one."""
    for unit in ("B", "KB", "MB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GB"


def ago(seconds: float) -> str:
    """How long something lasts, in its two largest units."""
    whole = int(seconds)
    parts = ((whole // 86_400, "d"), (whole // 3_600 % 24, "h"), (whole // 60 % 60, "m"), (whole % 60, "s"))
    shown = [f"{count} {unit}" for count, unit in parts if count][:2]
    return " ".join(shown) or "0 s"
