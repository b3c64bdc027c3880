"""What the lane has learned: for a target, which head answers which plain request, while the stored entry lives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from proxy.app.observe.repeats import Facts
from proxy.core.entry import Entry
from proxy.core.rate import RateLimit
from proxy.ports import UseMark

MAX_FORMS = 8
"""Answers remembered for one target: methods times codings times conditions."""

LARGE_BYTES = 32 * 1024
"""From here on a second write is cheaper than a copy."""

Wishes = tuple[str, str | None, str | None, str | None]
"""What selects among the forms of one entry: method, Accept-Encoding, If-None-Match, If-Modified-Since."""


@dataclass(frozen=True, slots=True)
class Form:
    """One answer: its head up to the value of Age, on to that of ttl, and after the proxy's own lines; and its body.

    The head up to Age is in three parts, of which many answers share the first and the last. `identity_bytes` is the
    body's length before this proxy coded it, 0 where it did not. `other` is another form of the same entry.
    """

    wishes: Wishes
    other: Form | None
    lead: bytes
    own: bytes
    before_age: bytes
    before_ttl: bytes
    tail: bytes
    body: bytes
    identity_bytes: int
    facts: Facts


@dataclass(frozen=True, slots=True)
class Barred:
    """A target that somebody was refused for coming too often: the limit that holds there. Members as a spot's."""

    route: str
    limit: RateLimit
    counted_as: str | None


@lru_cache(maxsize=4096)
def _digits(number: int) -> bytes:
    """The number as text; spots whose ages are alike share it."""
    return b"%d" % number


@dataclass(slots=True, eq=False)
class Spot:
    """A target and the entry that answers it, for as long as the store holds that entry alone (ports.Companion).

    `aged_from` and `fresh_until` are monotonic seconds: when the entry's age was nought, and when it ceases to be
    fresh. `limit_lines` are the lines about `limit` as far as they stay the same. `counted_as` is the name under which
    requests are counted against it; None is the client's address.
    `age` and `ttl` are texts that hold until `texts_until`.
    """

    place: bytes
    entry: Entry
    route: str
    aged_from: float
    fresh_until: float
    limit: RateLimit | None
    limit_lines: bytes
    counted_as: str | None
    forget: Callable[[Spot], None]
    age: bytes = b""
    ttl: bytes = b""
    texts_until: float = 0.0
    mark: UseMark | None = None
    form: Form | None = None

    def form_for(self, wishes: Wishes) -> Form | None:
        """The answer to these wishes. Most entries have one form; a table for each would weigh more than the form."""
        form = self.form
        while form is not None and form.wishes != wishes:
            form = form.other
        return form

    @property
    def has_room(self) -> bool:
        """Whether it may learn one more form."""
        count, form = 0, self.form
        while form is not None:
            count, form = count + 1, form.other
        return count < MAX_FORMS

    def part(self) -> None:
        """The entry is no longer what answers here."""
        self.forget(self)

    def renew_texts(self, now_s: float) -> None:
        """Write down age and ttl as they are now, rounded as elsewhere (core.forwarding.from_store, core.outcome)."""
        age, ttl = max(0, round(now_s - self.aged_from)), int(self.fresh_until - now_s)
        self.age, self.ttl = _digits(age), _digits(ttl)
        self.texts_until = min(self.aged_from + age + 0.5, self.fresh_until - ttl)
