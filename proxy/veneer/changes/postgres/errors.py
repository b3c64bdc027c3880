"""What PostgreSQL's errors mean for whoever follows it: whether they pass, and what would mend them."""

from __future__ import annotations

from typing import Final

import psycopg2

from veneer.ports.changes import SourceError

SLOT_IN_USE: Final = "55006"
WRONG_STATE: Final = "55000"
"""Among others: a slot that has lost what it kept."""
UNDEFINED_OBJECT: Final = "42704"
NO_PRIVILEGE: Final = "42501"

_LASTING: Final = frozenset({NO_PRIVILEGE, UNDEFINED_OBJECT, WRONG_STATE, "28000", "28P01", "3D000", "42601", "0A000"})
_LASTING_TEXTS: Final = (
    "password authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "permission denied",
    "must be superuser or replication role",
    "does not exist",
    "is not permitted to log in",
    "server does not support SSL",
)
"""Before there is a connection libpq tells no SQLSTATE (in English, unless the server is set otherwise)."""

LONGEST_TEXT: Final = 300


def source_error(error: psycopg2.Error, doing: str, sql: tuple[str, ...] = ()) -> SourceError:
    """The error of a source for one of psycopg2's; `doing` is what was tried."""
    said = " ".join(str(error).split())[:LONGEST_TEXT]
    code = error.pgcode
    lasting = code in _LASTING if code is not None else any(text in said for text in _LASTING_TEXTS)
    return SourceError(f"{doing}: {said}", sql=sql, lasting=lasting)
