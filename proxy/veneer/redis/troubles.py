"""What keeps Redis from doing what is asked of it, by its right name."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

from redis.exceptions import AuthenticationError, NoPermissionError, OutOfMemoryError, ReadOnlyError, ResponseError


class Trouble(Enum):
    """Why Redis did not do it. The value follows "Redis" in the log."""

    AWAY = "cannot be reached"
    FULL = "is full, and its maxmemory-policy evicts nothing that would make room"
    READ_ONLY = "takes no writes: it is a replica"
    FORBIDDEN = "does not permit its user what is needed"
    STRANGER = "wants other credentials"
    UNREADY = "is not ready"
    REFUSES = "refuses what it is asked"


_BY_CLASS: Final = (
    # the client library takes the word away by which Redis names these
    (OutOfMemoryError, Trouble.FULL),
    (ReadOnlyError, Trouble.READ_ONLY),
    (NoPermissionError, Trouble.FORBIDDEN),
    (AuthenticationError, Trouble.STRANGER),
)
_BY_TEXT: Final = (
    (re.compile(r"OOM "), Trouble.FULL),
    (re.compile(r"READONLY "), Trouble.READ_ONLY),
    # what a script may not do is told in words of each version
    (re.compile(r"NOPERM |(?s:.*)(ACL failure|executing the script can't run|no permissions)"), Trouble.FORBIDDEN),
    # the last is what Redis says to a long command of somebody it does not know
    (re.compile(r"NOAUTH |WRONGPASS |(?s:.*)Protocol error: unauthenticated"), Trouble.STRANGER),
    (re.compile(r"(LOADING|BUSY|CLUSTERDOWN|MASTERDOWN|TRYAGAIN) "), Trouble.UNREADY),
)


def trouble_of(error: BaseException) -> Trouble:
    """The trouble that a failed call tells of."""
    for kind, trouble in _BY_CLASS:
        if isinstance(error, kind):
            return trouble
    text = str(error)
    for pattern, trouble in _BY_TEXT:
        if pattern.match(text):
            return trouble
    return Trouble.REFUSES if isinstance(error, ResponseError) else Trouble.AWAY
