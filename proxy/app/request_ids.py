"""Request IDs: taken from the client where they are safe to log, made here otherwise."""

from __future__ import annotations

import itertools
import secrets
import string

MAX_LENGTH = 128
ALLOWED = (string.ascii_letters + string.digits + "-_.:/+=@").encode("ascii")


def accepted(octets: bytes) -> bool:
    """Whether a client's own ID is short and holds nothing that a log or a header could stumble over."""
    return 0 < len(octets) <= MAX_LENGTH and not octets.translate(None, ALLOWED)


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
        return text if text is not None and accepted(text.encode("latin-1")) else self.make()
