"""Entries, heads and clocks for tests of the stores."""

from __future__ import annotations

from veneer.core.entry import ByteSpan, Entry, Position
from veneer.core.fields import Fields
from veneer.core.messages import RequestHead
from veneer.core.rules import CacheRules

RULES = CacheRules()
"""Those of a route that says nothing."""


class FakeClock:
    """A Clock that stands still until told otherwise."""

    def __init__(self, at: float = 1_000.0) -> None:
        self.at = at

    def now(self) -> float:
        """The faked date."""
        return 1_700_000_000.0 + self.at

    def monotonic(self) -> float:
        """The faked monotonic time."""
        return self.at


def get(path: str = "/x", **fields: str) -> RequestHead:
    """A GET request; an underscore in a field's name stands for "-"."""
    pairs = [(name.replace("_", "-"), value) for name, value in fields.items()]
    return RequestHead("GET", path, None, "site", Fields(pairs))


def stored(
    born: Position,
    *tags: str,
    uri: str = "site/x",
    body: bytes = b"hello",
    vary: tuple[tuple[str, str | None], ...] = (),
    span: ByteSpan | None = None,
    received: float = 1_700_000_000.5,
) -> Entry:
    """A stored 200 response."""
    return Entry(
        status=206 if span else 200,
        reason="OK",
        fields=Fields([("Content-Type", "text/plain"), ("Cache-Control", "max-age=60")]),
        body=body,
        request_time=1_700_000_000.0,
        response_time=received,
        uri=uri,
        born=born,
        vary=vary,
        tags=tags,
        span=span,
    )
