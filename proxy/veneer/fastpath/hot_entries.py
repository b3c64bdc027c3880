"""What the fast path has learned: for a target, which head answers which plain request while the stored entry lives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from mypy_extensions import i64, mypyc_attr

from veneer.core.entry import Entry
from veneer.core.invalidation import Validity
from veneer.core.rate import RateLimit
from veneer.fastpath.fingerprint import Fingerprint
from veneer.observe.repeats import RecordTemplate
from veneer.ports import InvalidationLog

MAX_FORMS: Final = 8
"""Answers remembered for one target: methods times codings times conditions."""

VariantSelector = tuple[str, str | None, str | None, str | None]
"""What selects among the forms of one entry: method, Accept-Encoding, If-None-Match, If-Modified-Since."""

Texts = tuple[bytes, bytes, float]
"""Age, ttl, and until when (monotonic seconds) both are right."""


@lru_cache(maxsize=4096)
def _digits(number: int) -> bytes:
    """The number as text: many spots are as old as others."""
    return b"%d" % number


@dataclass(frozen=True, slots=True, eq=False)
class RouteFacts:
    """What the spots of one route have in common.

    `limit_lines` are the lines about `limit` as far as they stay the same. `shared_rate_key` is the name under which
    requests are counted against it; None is the client's address. `forget` is told when a spot's entry is gone.
    """

    route: str
    limit: RateLimit | None
    limit_lines: bytes
    counted_as: str | None
    forget: Callable[[HotEntry], None]


@dataclass(frozen=True, slots=True)
class LimitedTarget:
    """A target that somebody was refused for coming too often: what is recorded then, and the limit that holds there.

    Members as in `RouteFacts`.
    """

    facts: RecordTemplate
    limit: RateLimit
    counted_as: str | None


@dataclass(frozen=True, slots=True)
class HeadTemplate:
    """What many answers have in common: their wishes, most of their head, and what is recorded of them.

    The head up to the value of Age is `lead`, what is a form's own, and `before_age`; from there to the value of ttl it
    is `before_ttl`, and after the proxy's own lines `tail`.
    """

    wishes: VariantSelector
    lead: bytes
    before_age: bytes
    before_ttl: bytes
    tail: bytes
    facts: RecordTemplate
    common: RouteFacts


@mypyc_attr(acyclic=True)
class VariantReply:
    """One answer: its wording, the part of the head that is its own, and its body.

    `identity_bytes` is the body's length before this proxy coded it, 0 where it did not. `other` is another form of the
    same entry.
    """

    __slots__ = ("body", "identity_bytes", "other", "own", "wording")

    def __init__(
        self, wording: HeadTemplate, own: bytes, body: bytes, identity_bytes: int, other: VariantReply | None
    ) -> None:
        self.wording: Final = wording
        self.own: Final = own
        self.body: Final = body
        self.identity_bytes: Final = identity_bytes
        self.other = other


@mypyc_attr(acyclic=True)
class HotEntry(VariantReply):
    """A target and the entry that answers it, for as long as the store holds that entry alone (ports.Listener).

    It is its own first form; `other` leads to the rest. A hit reads this and the body, and nothing else of the entry:
    where entries are many, a hit costs what it has to read, one after the other, from memory far away.

    `aged_from` and `fresh_until` are monotonic seconds: when the entry's age was nought, and when it ceases to be
    fresh. `_valid_at` is where the log stood (`validity_generation`) when the entry was last found valid. `used`
    is the store's to clear. Where it is not `for_all`, requests with credentials go the normal way (core.sharing).
    `hashed`, `check` and `next_in_chain` are the table's: the marks of the target (fastpath.fingerprint),
    and the next spot in its chain.
    """

    __slots__ = (
        "_valid_at",
        "aged_from",
        "check",
        "entry",
        "for_all",
        "fresh_until",
        "hashed",
        "next_in_chain",
        "used",
    )

    def __init__(
        self,
        marks: Fingerprint,
        entry: Entry,
        first: VariantReply,
        *,
        aged_from: float,
        fresh_until: float,
        for_all: bool,
    ) -> None:
        super().__init__(first.wording, first.own, first.body, first.identity_bytes, first.other)
        self.hashed: Final[i64] = marks[0]
        self.check: Final[i64] = marks[1]
        self.next_in_chain: HotEntry | None = None
        self.fresh_until: Final = fresh_until
        self._valid_at = -1
        self.used = False
        self.for_all: Final = for_all
        self.aged_from: Final = aged_from
        self.entry: Final = entry

    def reply_for(self, wishes: VariantSelector) -> VariantReply | None:
        """The answer to these wishes. Most entries have one form; a table for each would weigh more than the form."""
        form: VariantReply | None = self
        while form is not None and form.wording.wishes != wishes:
            form = form.other
        return form

    @property
    def may_add_variant(self) -> bool:
        """Whether it may learn one more form."""
        count, form = 1, self.other
        while form is not None:
            count, form = count + 1, form.other
        return count < MAX_FORMS

    def part(self) -> None:
        """The entry is no longer what answers here."""
        self.wording.common.forget(self)

    def holds(self, log: InvalidationLog, now_s: float) -> bool:
        """Whether the entry may be answered from at `now_s`: it is fresh and valid, and this node leads."""
        moved = log.validity_generation(now_s)
        if moved < 0 or now_s >= self.fresh_until:
            return False
        if moved != self._valid_at:
            if log.validity(self.entry) is not Validity.VALID:
                return False
            self._valid_at = moved
        return True

    def texts(self, now_s: float) -> Texts:
        """Age and ttl as they are now, rounded as elsewhere (core.forwarding.age_line, core.outcome)."""
        age, ttl = max(0, round(now_s - self.aged_from)), int(self.fresh_until - now_s)
        older_from, shorter_from = self.aged_from + age + 0.5, self.fresh_until - ttl
        return _digits(age), _digits(ttl), min(older_from, shorter_from)
