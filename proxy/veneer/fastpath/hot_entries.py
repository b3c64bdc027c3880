"""What the fast path has learned: for a target, which head answers which plain request while the stored entry lives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mypy_extensions import i64, mypyc_attr

from veneer.core.entry import Entry
from veneer.core.invalidation import Validity
from veneer.core.rate import RateLimit
from veneer.fastpath.fingerprint import Fingerprint
from veneer.observe.repeats import RecordTemplate
from veneer.pipeline.lost import late
from veneer.policy.model_changes import SourceBound
from veneer.ports import InvalidationLog

MAX_VARIANTS: Final = 8
"""Answers remembered for one target: methods times codings times conditions."""

VariantSelector = tuple[str, str | None, str | None, str | None]
"""What selects among the variants of one entry: method, Accept-Encoding, If-None-Match, If-Modified-Since."""

AgeAndTtl = tuple[bytes, bytes, float]
"""Age, ttl, and until when (monotonic seconds) both are right."""


_PLAIN: Final = [b"%d" % number for number in range(1_000)]
_PADDED: Final = [b"%03d" % number for number in range(1_000)]


def _digits(number: i64) -> bytes:
    """The number as text; what most ages and lifetimes are is put together of parts."""
    if 0 <= number < 1_000:
        return _PLAIN[number]
    if 0 <= number < 1_000_000:
        return _PLAIN[number // 1_000] + _PADDED[number % 1_000]
    return b"%d" % number


def _rounded(number: float) -> int:
    """As `round`, of what is not negative: to the even one in the middle. It costs a tenth."""
    whole = int(number)
    rest = number - whole
    return whole + 1 if rest > 0.5 or (rest == 0.5 and whole & 1) else whole


@dataclass(frozen=True, slots=True, eq=False)
class RouteFacts:
    """What the hot entries of one route have in common.

    `limit_lines` are the lines about `limit` as far as they stay the same. `shared_rate_key` is the name under which
    requests are counted against it; None is the client's address. `forget` is told when a hot entry's entry is gone.
    `shared_by` are the identity values by which the route shares: each such hot entry is for the one scope that is part
    of its fingerprint. `sources` are those of changes by which it lives.
    """

    route: str
    limit: RateLimit | None
    limit_lines: bytes
    shared_rate_key: str | None
    forget: Callable[[HotEntry], None]
    shared_by: tuple[str, ...] = ()
    sources: tuple[SourceBound, ...] = ()


@dataclass(frozen=True, slots=True)
class LimitedTarget:
    """A target that somebody was refused for coming too often: what is recorded then, and the limit that holds there.

    Members as in `RouteFacts`.
    """

    facts: RecordTemplate
    limit: RateLimit
    shared_rate_key: str | None


@dataclass(frozen=True, slots=True)
class HeadTemplate:
    """What many answers have in common: their selector, most of their head, and what is recorded of them.

    Up to the value of Age the head is `prefix`, a variant's `unique_lines`, and `before_age`; from there to the value
    of ttl it is `before_ttl`, and after the proxy's own lines `suffix`.
    """

    selector: VariantSelector
    prefix: bytes
    before_age: bytes
    before_ttl: bytes
    suffix: bytes
    facts: RecordTemplate
    route_facts: RouteFacts


@mypyc_attr(acyclic=True)
class VariantReply:
    """One answer: its template, the lines of the head that are its own, and its body.

    `identity_bytes` is the body's length before this proxy coded it, 0 where it did not. `next_variant` is another one
    of the same entry.
    """

    __slots__ = ("body", "identity_bytes", "next_variant", "template", "unique_lines")

    def __init__(
        self,
        template: HeadTemplate,
        unique_lines: bytes,
        body: bytes,
        identity_bytes: int,
        next_variant: VariantReply | None,
    ) -> None:
        self.template: Final = template
        self.unique_lines: Final = unique_lines
        self.body: Final = body
        self.identity_bytes: Final = identity_bytes
        self.next_variant = next_variant


@mypyc_attr(acyclic=True)
class HotEntry(VariantReply):
    """A target and the entry that answers it, while the store holds that entry alone (`ports.EvictionListener`).

    It is its own first variant; `next_variant` leads to the rest. A hit reads this and the body, and nothing else of
    the entry: where entries are many, a hit costs what it has to read, one after the other, from memory far away.

    `aged_from` and `fresh_until` are monotonic seconds: when the entry's age was nought, and when it ceases to be
    fresh. `_valid_at` is where the log stood (`validity_generation`) when the entry was last found valid. `used`
    is the store's to clear. Where it is not `for_all`, requests with credentials go the normal way (core.sharing).
    `hash_a`, `hash_b` and `next_in_chain` are the table's: the fingerprint of the target (fastpath.fingerprint),
    and the next hot entry in its chain.
    """

    __slots__ = (
        "_valid_at",
        "aged_from",
        "entry",
        "for_all",
        "fresh_until",
        "hash_a",
        "hash_b",
        "next_in_chain",
        "used",
    )

    def __init__(
        self,
        fingerprint: Fingerprint,
        entry: Entry,
        first: VariantReply,
        *,
        aged_from: float,
        fresh_until: float,
        for_all: bool,
    ) -> None:
        super().__init__(first.template, first.unique_lines, first.body, first.identity_bytes, first.next_variant)
        self.hash_a: Final[i64] = fingerprint[0]
        self.hash_b: Final[i64] = fingerprint[1]
        self.next_in_chain: HotEntry | None = None
        self.fresh_until: Final = fresh_until
        self._valid_at = -1
        self.used = False
        self.for_all: Final = for_all
        self.aged_from: Final = aged_from
        self.entry: Final = entry

    def reply_for(self, selector: VariantSelector) -> VariantReply | None:
        """The answer for this selector. Most entries have one; a table would weigh more than that."""
        reply: VariantReply | None = self
        while reply is not None and reply.template.selector != selector:
            reply = reply.next_variant
        return reply

    @property
    def may_add_variant(self) -> bool:
        """Whether it may learn one more variant."""
        count, reply = 1, self.next_variant
        while reply is not None:
            count, reply = count + 1, reply.next_variant
        return count < MAX_VARIANTS

    def part(self) -> None:
        """The entry is no longer what answers here."""
        self.template.route_facts.forget(self)

    def is_servable(self, log: InvalidationLog, now_s: float) -> bool:
        """Whether the entry may be answered from at `now_s`: it is fresh and valid, and this node leads."""
        moved = log.validity_generation(now_s)
        if moved < 0 or now_s >= self.fresh_until:
            return False
        if moved != self._valid_at:
            if log.validity(self.entry) is not Validity.VALID:
                return False
            self._valid_at = moved
        return True

    def age_and_ttl(self, now_s: float) -> AgeAndTtl:
        """Age and ttl as they are now, rounded as elsewhere (core.forwarding.age_line, core.outcome)."""
        age, ttl = _rounded(max(0.0, now_s - self.aged_from)), int(self.fresh_until - now_s)
        older_from, shorter_from = self.aged_from + age + 0.5, self.fresh_until - ttl
        return _digits(age), _digits(ttl), min(older_from, shorter_from)


@mypyc_attr(acyclic=True)
class SourcedHotEntry(HotEntry):
    """One on a route that names sources of changes: it may be answered from only while these are not late.

    A class of its own, so that hits on other routes are asked nothing more.
    """

    __slots__ = ()

    def is_servable(self, log: InvalidationLog, now_s: float) -> bool:
        """As that of others, and no source is late (pipeline.lost)."""
        return late(log, self.template.route_facts.sources, now_s) is None and super().is_servable(log, now_s)


def hot_entry_class(facts: RouteFacts) -> type[HotEntry]:
    """What a route's hot entries are."""
    return SourcedHotEntry if facts.sources else HotEntry
