"""Fields that a route takes out of messages, or puts into them, and which of them nobody may touch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from veneer.core.field_table import FORWARDING, Use, fields_with
from veneer.core.fields import Fields, Pair
from veneer.core.forwarding import METHOD_OVERRIDES
from veneer.core.headers import split_list
from veneer.core.tags import TAG_FIELDS

_FRAMING: Final = fields_with(Use.HOP | Use.FRAMING | Use.WRITTEN | Use.STEP)
_BODY: Final = fields_with(Use.DIGEST | Use.CONTENT) | {"content-encoding", "content-type"}
_ABOUT_THE_CACHE: Final = frozenset(
    {"age", "cdn-cache-control", "date", "etag", "expires", "last-modified", "no-vary-search", "vary", "warning"}
)
_SPOKEN_BY_THE_PROXY: Final = frozenset(
    {"cache-status", "ratelimit", "ratelimit-policy", "via", "x-cache-invalidate", "x-request-id", "x-response-time"}
)
_SELECTS: Final = frozenset(
    {"accept-encoding", "cache-control", "if-match", "if-modified-since", "if-none-match", "if-range"}
) | {"if-unmodified-since", "pragma", "range"}

_RESTRICTS: Final = frozenset({"max-age=0", "must-revalidate", "no-cache", "no-store", "no-transform", "private"})


@dataclass(frozen=True, slots=True)
class FieldEdits:
    """What becomes of the fields of a message: those of `dropped` go, and then `lines` come.

    Of `missing` come those whose field is not there. Names in `dropped` and `added` are lower case; `added` are those
    of `lines` that are not dropped before.
    """

    dropped: frozenset[str] = frozenset()
    lines: tuple[Pair, ...] = ()
    missing: tuple[Pair, ...] = ()
    added: frozenset[str] = frozenset()

    def apply(self, fields: Fields) -> Fields:
        """The fields once they are edited; the same object where nothing changes."""
        fields = fields.without(self.dropped)
        if self.lines:
            fields = fields.added(*self.lines)
        if self.missing:
            there = fields.joined
            fields = fields.added(*[line for line in self.missing if line[0].lower() not in there])
        return fields

    @property
    def names(self) -> frozenset[str]:
        """The lower-case names of all lines that may come."""
        return frozenset([name.lower() for name, _ in self.lines + self.missing])


NO_EDITS: Final = FieldEdits()
TAGS_HIDDEN: Final = FieldEdits(frozenset({*TAG_FIELDS, "cache-group-invalidation"}))
"""Tags name what others asked for, and by which writes it changes. They were read when the response came."""


def edits(
    replace: Iterable[Pair], add: Iterable[Pair], remove: Iterable[str], missing: Iterable[Pair] = ()
) -> FieldEdits:
    """The edits that replace, add and remove these."""
    replacing, adding = tuple(replace), tuple(add)
    dropped = frozenset([name.lower() for name in (*remove, *(name for name, _ in replacing))])
    return FieldEdits(
        dropped, replacing + adding, tuple(missing), frozenset([name.lower() for name, _ in adding]) - dropped
    )


def why_not_in_responses(name: str, value: str | None) -> str | None:
    """Why a route may not edit this field of responses; None where it may. `value` is what would replace the field."""
    lower = name.lower()
    if lower == "cache-control":
        return None if value is not None and _is_stricter(value) else "may only be set so that clients keep less"
    if lower in _ABOUT_THE_CACHE:
        return "tells how long, and for whom, the response is: the proxy works it out of what the backend says"
    return _why_of_no_message(lower)


def why_not_in_requests(name: str) -> str | None:
    """Why a route may not edit this field of requests; None where it may."""
    lower = name.lower()
    if lower in _SELECTS:
        return "selects among stored responses: what the client asks for and what is looked up would differ"
    if lower in FORWARDING or lower == "host":
        return "tells the backend of the client's own request: the proxy writes it"
    if lower in METHOD_OVERRIDES:
        return "makes the backend carry out another method than the one that is seen here"
    return _why_of_no_message(lower)


def _why_of_no_message(lower: str) -> str | None:
    if lower in _BODY:
        return "describes the bytes of the body, which stay as they are"
    if lower in _FRAMING:
        return "belongs to one connection, or tells where a message ends"
    if lower in _SPOKEN_BY_THE_PROXY:
        return "is written by the proxy itself"
    return None


def _is_stricter(value: str) -> bool:
    """Whether a Cache-Control lets nobody keep or use more than any other would (RFC 9111 section 5.2.2)."""
    said = frozenset([directive.lower() for directive in split_list(value)])
    return not said.isdisjoint(("no-store", "no-cache")) and said <= _RESTRICTS
