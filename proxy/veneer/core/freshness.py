"""How long a response is fresh, how old it is, and how long it may be served stale (RFC 9111 section 4.2, RFC 5861)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mypy_extensions import mypyc_attr

from veneer.core.cache_control import ResponseDirectives, delta_seconds, governing_directives
from veneer.core.dates import moment_of
from veneer.core.entry import Entry, FreshnessTerms
from veneer.core.fields import Fields
from veneer.core.rules import CacheRules, OriginRule
from veneer.core.sharing import GUARDED, STATED, Source

HEURISTIC_STATUSES: Final = frozenset({200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501})
"""Statuses that may be given a heuristic lifetime (RFC 9110 section 15.1)."""

POLICY_STATUSES: Final = frozenset({200, 203, 204, 206, 300, 301, 308, 410})
"""Statuses to which a route's own ttl applies that names none: the heuristic ones less the client's and the server's
mistakes."""


@mypyc_attr(acyclic=True)
@dataclass(init=False, slots=True, unsafe_hash=True)
class Lifetime:
    """Seconds of freshness from the moment the origin generated the response, and who said so (section 4.2.1)."""

    seconds: Final[float]
    source: Final[Source]

    def __init__(self, seconds: float, source: Source) -> None:
        self.seconds = seconds
        self.source = source


@mypyc_attr(acyclic=True)
@dataclass(init=False, slots=True, unsafe_hash=True)
class Freshness:
    """How a stored response stands at one moment: its terms, its age, and the freshness left.

    `ttl_s` is zero or less when it is stale: it is fresh while the lifetime exceeds the age (section 4.2).
    """

    terms: Final[FreshnessTerms]
    age_s: Final[float]
    ttl_s: Final[float]
    is_fresh: Final[bool]

    def __init__(self, terms: FreshnessTerms, age_s: float) -> None:
        self.terms = terms
        self.age_s = age_s
        self.ttl_s = terms.lifetime_s - age_s
        self.is_fresh = terms.lifetime_s > age_s

    @property
    def staleness_s(self) -> float:
        """Seconds since the end of freshness."""
        return max(0.0, self.age_s - self.terms.lifetime_s)


def age_value(fields: Fields) -> int:
    """The Age that came with the response: the first list member; 0 when it is absent or no delta-seconds (5.1)."""
    first = fields.joined.get("age")
    return 0 if first is None else delta_seconds(first.partition(",")[0].strip()) or 0


def date_value(fields: Fields, response_time: float) -> float:
    """The moment of the Date field; the moment of receipt when it is absent or invalid (RFC 9110 section 6.6.1)."""
    seconds = moment_of(fields, "date", response_time)
    return response_time if seconds is None else float(seconds)


def initial_age(fields: Fields, request_time: float, response_time: float) -> float:
    """The corrected initial age (section 4.2.3): how old the response was when it arrived."""
    apparent_age = max(0.0, response_time - date_value(fields, response_time))
    response_delay = max(0.0, response_time - request_time)
    return max(apparent_age, age_value(fields) + response_delay)


def lifetime(status: int, fields: Fields, response_time: float, rules: CacheRules) -> Lifetime:
    """The freshness lifetime of a response received at `response_time` (section 4.2.1), under the route's rules."""
    return lifetime_under(governing_directives(fields, rules.targeted_fields), status, fields, response_time, rules)


def lifetime_under(
    directives: ResponseDirectives, status: int, fields: Fields, response_time: float, rules: CacheRules
) -> Lifetime:
    """As `lifetime`, the governing directives being known."""
    ttl_s = route_ttl(rules, status)
    if ttl_s is not None and rules.origin is OriginRule.OVERRIDE:
        return Lifetime(ttl_s, Source.POLICY)
    explicit = explicit_lifetime(fields, directives, response_time)
    if explicit is not None:
        return Lifetime(explicit, Source.EXPLICIT)
    if ttl_s is not None:
        return Lifetime(ttl_s, Source.POLICY)
    if status in HEURISTIC_STATUSES or directives.public:
        heuristic = heuristic_lifetime(fields, response_time, rules)
        if heuristic is not None:
            return Lifetime(heuristic, Source.HEURISTIC)
    return Lifetime(0.0, Source.NONE)


def route_ttl(rules: CacheRules, status: int) -> float | None:
    """The lifetime that the route gives responses with this status, the most exact of what it says; None for none."""
    for statuses, ttl_s in rules.ttl_by_status:
        if status in statuses:
            return ttl_s
    return rules.ttl_s if status in POLICY_STATUSES else None


def explicit_lifetime(fields: Fields, directives: ResponseDirectives, response_time: float) -> float | None:
    """s-maxage, else max-age, else Expires less Date; an invalid Expires is in the past (sections 4.2.1, 5.3)."""
    if directives.s_maxage_s is not None:
        return float(directives.s_maxage_s)
    if directives.max_age_s is not None:
        return float(directives.max_age_s)
    if directives.targeted or "expires" not in fields.joined:
        return None
    moment = moment_of(fields, "expires", response_time)
    return 0.0 if moment is None else max(0.0, moment - date_value(fields, response_time))


def heuristic_lifetime(fields: Fields, response_time: float, rules: CacheRules) -> float | None:
    """A fraction of the time since Last-Modified, bounded; None without a Last-Modified (section 4.2.2)."""
    modified = moment_of(fields, "last-modified", response_time)
    if modified is None:
        return None
    unchanged = max(0.0, date_value(fields, response_time) - modified)
    return min(unchanged * rules.heuristic_fraction, rules.heuristic_max_s)


def freshness(entry: Entry, rules: CacheRules, now: float) -> Freshness:
    """How `entry` stands at `now`: its age is that at receipt and the time since (section 4.2.3), never negative."""
    memo = entry.memo
    terms = memo.terms
    if terms is None or memo.rules is not rules:
        terms = terms_of(entry.status, entry.fields, entry.request_time, entry.response_time, rules)
        memo.rules, memo.terms = rules, terms
    return Freshness(terms, terms.age_at_receipt_s + max(0.0, now - entry.response_time))


def terms_of(
    status: int, fields: Fields, request_time: float, response_time: float, rules: CacheRules
) -> FreshnessTerms:
    """The terms of a response that was asked for and received at these moments."""
    directives = governing_directives(fields, rules.targeted_fields)
    life = lifetime_under(directives, status, fields, response_time, rules)
    age_s = initial_age(fields, request_time, response_time)
    return terms_under(directives, life, fields, age_s, response_time, rules)


def terms_under(
    directives: ResponseDirectives,
    life: Lifetime,
    fields: Fields,
    age_s: float,
    response_time: float,
    rules: CacheRules,
) -> FreshnessTerms:
    """As `terms_of`, the governing directives, the lifetime and the initial age being known."""
    overridden = rules.origin is OriginRule.OVERRIDE and life.source is Source.POLICY
    forbids_stale = directives.forbids_stale and not (overridden and not _insists(directives))
    extends = life.source in STATED and life.seconds > 0
    return FreshnessTerms(
        lifetime_s=life.seconds,
        age_at_receipt_s=age_s,
        stale_windows_s=(0.0, 0.0, 0.0) if forbids_stale else stale_windows(directives, rules, extends=extends),
        may_serve_disconnected=rules.stale_on_disconnect and extends and not forbids_stale,
        forbids_stale=forbids_stale,
        must_validate=directives.no_cache and not overridden,
        guarded=is_guarded(directives, life, fields, response_time),
    )


def is_guarded(directives: ResponseDirectives, life: Lifetime, fields: Fields, response_time: float) -> bool:
    """Whether the origin left open that the response is for all: it neither said `public` nor how long it is fresh.

    Where a route's ttl overrides a lifetime that the origin stated, that statement still counts.
    """
    if life.source not in GUARDED or directives.public:
        return False
    if life.source is not Source.POLICY or directives.no_cache:
        return True
    return not explicit_lifetime(fields, directives, response_time)


def _insists(directives: ResponseDirectives) -> bool:
    """Whether the origin forbids stale responses by name, not as a consequence of its freshness directives."""
    return directives.must_revalidate or directives.proxy_revalidate


def stale_windows(directives: ResponseDirectives, rules: CacheRules, *, extends: bool) -> tuple[float, float, float]:
    """stale-while-revalidate and stale-if-error, in seconds: the origin's, else the route's, else none (RFC 5861).

    The third is for an origin that is overloaded: the route's, else as stale-if-error, for what is refused then is an
    error too (section 4). The route's count only where there is a stated freshness that they can extend
    (core.sharing.STATED).
    """
    swr = directives.stale_while_revalidate_s
    sie = directives.stale_if_error_s
    if not extends:
        return float(swr or 0), float(sie or 0), float(sie or 0)
    if swr is None or rules.origin is OriginRule.OVERRIDE:
        swr_s = rules.stale_while_revalidate_s if rules.stale_while_revalidate_s is not None else swr
    else:
        swr_s = swr
    if sie is None or rules.origin is OriginRule.OVERRIDE:
        sie_s = rules.stale_if_error_s if rules.stale_if_error_s is not None else sie
    else:
        sie_s = sie
    overload_s = sie_s if rules.stale_on_overload_s is None else rules.stale_on_overload_s
    return float(swr_s or 0), float(sie_s or 0), float(overload_s or 0)
