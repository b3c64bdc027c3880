"""Request IDs: taken from the client where they are safe to log, made here otherwise."""

from __future__ import annotations

import secrets
import string
from typing import Final

MAX_LENGTH: Final = 128
ALLOWED: Final = (string.ascii_letters + string.digits + "-_.:/+=@").encode("ascii")

_LAST_DIGITS: Final = [b"%02x" % number for number in range(256)]


def accepted(raw: bytes) -> bool:
    """Whether a client's own ID is short and holds nothing that a log or a header could stumble over."""
    # Nearly all are letters and digits but for dashes, and `translate` makes a table each time.
    return 0 < len(raw) <= MAX_LENGTH and (raw.replace(b"-", b"").isalnum() or not raw.translate(None, ALLOWED))


class RequestIds:
    """Makes IDs that are unique among all processes: a random beginning for each process, then a counter."""

    def __init__(self) -> None:
        self._prefix = secrets.token_hex(8)
        self._next = secrets.randbelow(1 << 24)
        self._beginning = b""

    def make(self) -> str:
        """A new ID."""
        return self.make_bytes().decode("ascii")

    def make_bytes(self) -> bytes:
        """A new ID as it goes out."""
        number = self._next
        self._next = number + 1
        last = number & 0xFF
        if not last or not self._beginning:
            self._beginning = f"{self._prefix}-{number >> 8:06x}".encode("ascii")
        return self._beginning + _LAST_DIGITS[last]

    def of(self, text: str | None) -> str:
        """The client's ID or a new one."""
        if text is not None and accepted(text.encode("latin-1")):
            return text
        return self.make_bytes().decode("ascii")
