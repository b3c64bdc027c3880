"""A request's place in a trace, as the traceparent field says it (W3C Trace Context, section 3)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from veneer.core.fields import Fields

_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED: Final = 1


@dataclass(frozen=True, slots=True)
class TraceParent:
    """The trace, the span that is the parent of what happens here, and whether the trace is being recorded."""

    trace_id: str
    span_id: str
    sampled: bool

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


def trace_parent(fields: Fields) -> TraceParent | None:
    """What the request's traceparent says; None when there is none or it is not valid (section 3.2.2).

    Later versions are read as far as version 00 goes (section 3.2.4).
    """
    lines = fields.lines("traceparent")
    found = _TRACEPARENT.fullmatch(lines[0]) if len(lines) == 1 else None
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return TraceParent(trace_id, span_id, bool(int(flags, 16) & _SAMPLED))
