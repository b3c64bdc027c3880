"""Places in PostgreSQL's write-ahead log, and names in its SQL."""

from __future__ import annotations

import re
from typing import Final

_LSN: Final = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")


def parse_lsn(text: str) -> int | None:
    """A log sequence number ("16/B374D848"), or None where it is none."""
    found = _LSN.fullmatch(text)
    return None if found is None else int(found[1], 16) << 32 | int(found[2], 16)


def format_lsn(lsn: int) -> str:
    """A log sequence number as PostgreSQL writes it."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def quoted_name(name: str) -> str:
    """A name as SQL reads it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def quoted_table(table: str) -> str:
    """A table's "schema.name" as SQL reads it."""
    return ".".join(quoted_name(part) for part in table.split(".", 1))


def quoted_text(text: str) -> str:
    """A text as SQL reads it, with standard_conforming_strings as they are by default."""
    return "'" + text.replace("'", "''") + "'"
