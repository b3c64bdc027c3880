"""What all spans have in common, whatever they are exported by."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from veneer.core.trace import TraceParent

_NANOS_PER_S: Final = 1_000_000_000

METHODS: Final = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"})
"""The methods that spans name: any word may be one, and what is grouped by it has to stay small."""
OTHER_METHOD: Final = "_OTHER"

Attributes = dict[str, str | int | float]


class SpanKind(Enum):
    """Which side of a request a span is of."""

    SERVER = "server"
    CLIENT = "client"


@dataclass(slots=True)
class Span:
    """One span of a sampled trace; times in nanoseconds since the epoch. `parent_id` is "" where a trace begins."""

    place: TraceParent
    parent_id: str
    kind: SpanKind
    attributes: Attributes
    name: str = ""
    start_ns: int = 0
    end_ns: int = 0
    is_error: bool = False

    def __post_init__(self) -> None:
        method = str(self.attributes["http.request.method"])
        self.name = self.name or ("HTTP" if method == OTHER_METHOD else method)


def known_method(method: str) -> tuple[str, str]:
    """The method as attributes name it, and as it came where that is another (semantic conventions, "HTTP spans")."""
    return (method, "") if method in METHODS else (OTHER_METHOD, method)


def nanoseconds(seconds: float) -> int:
    """As spans count."""
    return int(seconds * _NANOS_PER_S)
