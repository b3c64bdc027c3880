"""What the lane has learned: for a target, which head answers which plain request, while the stored entry lives."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field

from proxy.core.entry import Entry
from proxy.core.rate import RateLimit

MAX_FORMS = 16
"""Answers remembered for one target: methods times codings times conditions."""

Wishes = tuple[str, str | None, str | None, str | None]
"""What selects among the forms of one entry: method, Accept-Encoding, If-None-Match, If-Modified-Since."""


@dataclass(frozen=True, slots=True)
class Form:
    """One head in pieces: up to the value of Age, from there to Cache-Status, and what follows this proxy's own lines.

    `coding` tells which body goes with it; None means that no body does.
    """

    status: int
    before_age: str
    after_age: str
    tail: str
    coding: str | None


@dataclass(slots=True)
class Spot:
    """A target and the entry that answers it. The entry is not kept alive: memory is the store's to bound.

    `aged_from` and `fresh_until` are monotonic seconds: when the entry's age was nought, and when it ceases to be
    fresh. `counted_as` is the name under which requests are counted against `limit`; None is the client's address.
    """

    key: str
    route: str
    entry: weakref.ref[Entry]
    aged_from: float
    fresh_until: float
    limit: RateLimit | None
    counted_as: str | None
    forms: dict[Wishes, Form] = field(default_factory=dict)


def form_of(status: int, octets: bytes, coding: str | None) -> Form | None:
    """The pieces of a head as the pipeline sent it; None when it is not put together as expected."""
    text = octets.decode("latin-1")
    if text.count("\r\nAge: ") != 1 or text.count("\r\nCache-Status: ") != 1:
        return None
    age = text.index("\r\nAge: ") + 7
    after_age = text.index("\r\n", age)
    cache_status = text.index("\r\nCache-Status: ") + 2
    own = text.find("\r\nRateLimit: ", cache_status)
    if own == -1:
        own = text.index("\r\nX-Response-Time: ", cache_status)
    if cache_status < after_age or "; key=" in text[cache_status:own]:
        return None
    tail = text.index("\r\n", own + 2) + 2
    return Form(status, text[:age], text[after_age:cache_status], text[tail:], coding)
