"""Request IDs: taken from the client where they are safe to log, made here otherwise."""

from __future__ import annotations

import itertools
import secrets
import string

MAX_LENGTH = 128
ALLOWED = frozenset(string.ascii_letters + string.digits + "-_.:/+=@")


def accepted(text: str | None) -> str | None:
    """The client's own ID if it is short and holds nothing that a log or a header could stumble over."""
    if text is None or not 0 < len(text) <= MAX_LENGTH or not ALLOWED.issuperset(text):
        return None
    return text


class RequestIds:
    """Makes IDs that are unique among all processes: a random beginning for each process, then a counter."""

    def __init__(self) -> None:
        self._prefix = secrets.token_hex(8)
        self._numbers = itertools.count(secrets.randbelow(1 << 24))

    def make(self) -> str:
        """A new ID."""
        return f"{self._prefix}-{next(self._numbers):08x}"

    def of(self, text: str | None) -> str:
        """The client's ID or a new one."""
        return accepted(text) or self.make()
