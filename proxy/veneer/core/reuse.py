"""What to do with a request, given what is stored: the decision of RFC 9111 section 4."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from veneer.core.cache_control import RequestDirectives, request_directives
from veneer.core.entry import Entry
from veneer.core.freshness import Freshness, freshness
from veneer.core.invalidation import Validity
from veneer.core.key import query_matches
from veneer.core.messages import RequestHead
from veneer.core.outcome import Forward, Reason
from veneer.core.ranges import can_answer, completion_range
from veneer.core.record import fast_struct
from veneer.core.rules import CacheRules
from veneer.core.sharing import passes, withheld
from veneer.core.validation import offerable
from veneer.core.vary import matches

ERROR_STATUSES: Final = frozenset({500, 502, 503, 504})
"""The failures for which stale-if-error lets a stale response stand in (RFC 5861 section 4)."""

LOOKED_UP: Final = frozenset({"GET", "HEAD", "QUERY"})
"""Methods that a stored response may answer."""


@fast_struct
class Fallback:
    """Until when, in seconds since the epoch, the stale response may be served in place of the origin's failure.

    `on_error_until`: a 500, 502, 503 or 504 or no answer at all (stale-if-error, RFC 5861 section 4).
    `on_disconnect_until`: no answer at all (RFC 9111 section 4.2.4). None where it may not be.
    `on_overload_until`: the origin has as much to do as it can; served instead of waiting for it.
    """

    on_error_until: float | None
    on_disconnect_until: float | None
    on_overload_until: float | None = None


@fast_struct
class Hit:
    """Serve `entry`: it is fresh."""

    entry: Entry
    age_s: float
    ttl_s: float


@fast_struct
class ServeStale:
    """Serve `entry` although it is stale; with `refresh` validate it in the background (RFC 5861 section 3).

    `alike` are all stored responses that could have been chosen, `entry` among them.
    """

    entry: Entry
    age_s: float
    ttl_s: float
    reason: Reason
    refresh: bool
    alike: tuple[Entry, ...] = ()


@fast_struct
class Revalidate:
    """Ask the origin whether `entry` is still current, with a conditional request if it has a validator.

    `others` are further stored variants whose entity tags may be offered as well (section 4.3.1). `alike` are all
    stored responses that could have been chosen, `entry` among them.
    """

    entry: Entry
    others: tuple[Entry, ...]
    age_s: float
    ttl_s: float
    forward: Forward
    reason: Reason
    fallback: Fallback
    alike: tuple[Entry, ...] = ()


@fast_struct
class PartialMiss:
    """`entry` holds the beginning: ask for the rest with `range_value`, and combine (section 3.4).

    `alike` are all stored parts that match the request.
    """

    entry: Entry
    range_value: str
    age_s: float
    alike: tuple[Entry, ...] = ()


@fast_struct
class Miss:
    """Nothing stored can be used. `variants` are stored responses whose entity tags may be offered to the origin.

    `alike` are stored parts that match the request and do not suffice.
    """

    forward: Forward
    reason: Reason | None = None
    variants: tuple[Entry, ...] = ()
    alike: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class GatewayTimeout:
    """The client wants a stored response only, and none can be used: 504 (section 5.2.1.7)."""

    reason: Reason


Decision = Hit | ServeStale | Revalidate | PartialMiss | Miss | GatewayTimeout
Candidate = tuple[Entry, Validity]


def decide(request: RequestHead, candidates: Sequence[Candidate], rules: CacheRules, now: float) -> Decision:
    """Decide how to answer `request` from the entries stored under its key, dead ones already dropped."""
    wants = request_directives(request.fields)
    unanswerable = _not_looked_up(request, rules)
    if unanswerable is not None:
        return _miss(wants, unanswerable)
    usable = [c for c in candidates if c[1] is not Validity.DEAD and query_matches(c[0], request, rules.key)]
    if not usable:
        return _miss(wants, Miss(Forward.URI_MISS))
    why_not = withheld(request.fields, rules)
    if why_not is not None:
        usable = [c for c in usable if not freshness(c[0], rules, now).terms.guarded]
        if not usable:
            return _miss(wants, Miss(Forward.REQUEST, why_not))
    matching = [c for c in usable if not c[0].vary or matches(c[0], request, rules)]
    if not matching:
        return _miss(wants, Miss(Forward.VARY_MISS, variants=offerable([entry for entry, _ in usable], request)))
    if len(matching) > 1:
        matching.sort(key=_received, reverse=True)
    chosen = _choose(request, matching)
    if chosen is None:
        return _complete(request, matching, wants, rules, now)
    return _judge(request, wants, chosen, matching, usable, rules, now)


def _not_looked_up(request: RequestHead, rules: CacheRules) -> Miss | None:
    """Whether the request is none that a stored response may answer."""
    if not rules.enabled:
        return Miss(Forward.BYPASS, Reason.CACHE_OFF)
    if request.method not in LOOKED_UP:
        return Miss(Forward.METHOD, Reason.METHOD)
    passed = passes(request.fields, rules)
    if passed is not None:
        return Miss(Forward.BYPASS, passed)
    asked = request.fields.joined
    if "if-match" in asked or "if-unmodified-since" in asked:
        # Conditions that only the origin may evaluate (section 4.3.2): they are about the state of the resource.
        return Miss(Forward.REQUEST, Reason.REQUEST_CONDITION)
    return None


def _received(candidate: Candidate) -> float:
    return candidate[0].response_time


def _choose(request: RequestHead, matching: list[Candidate]) -> Candidate | None:
    """The newest candidate that can answer the request whole, or the part that it asks for."""
    for candidate in matching:
        entry = candidate[0]
        if entry.span is None or can_answer(entry, request):
            return candidate
    return None


def wants_its_own(request: RequestHead, rules: CacheRules) -> bool:
    """Whether nothing that was fetched for somebody else, however new, is what the client asks for (section 5.2.1)."""
    wants = request_directives(request.fields)
    return rules.obey_request_no_cache and (wants.no_cache or wants.max_age_s == 0)


def _miss(wants: RequestDirectives, miss: Miss) -> Miss | GatewayTimeout:
    """A miss, unless the client forbids to ask the origin; where caching is off its wish means nothing."""
    return GatewayTimeout(Reason.ONLY_IF_CACHED) if wants.only_if_cached and miss.forward not in _PASSED else miss


_PASSED: Final = frozenset({Forward.BYPASS, Forward.METHOD})


def _complete(
    request: RequestHead, partial: list[Candidate], wants: RequestDirectives, rules: CacheRules, now: float
) -> Decision:
    """Only parts are stored, and none of them suffices: fetch what is missing if the beginning is there and fresh."""
    if wants.only_if_cached:
        return GatewayTimeout(Reason.ONLY_IF_CACHED)
    for entry, validity in partial:
        rest = completion_range(entry, request)
        state = freshness(entry, rules, now)
        if rest is not None and validity is Validity.VALID and state.is_fresh and not state.terms.must_validate:
            return PartialMiss(entry, rest, state.age_s, _entries(partial))
    return Miss(Forward.PARTIAL, alike=_entries(partial))


def _entries(candidates: Sequence[Candidate]) -> tuple[Entry, ...]:
    return tuple([entry for entry, _ in candidates])


def _judge(
    request: RequestHead,
    wants: RequestDirectives,
    chosen: Candidate,
    matching: Sequence[Candidate],
    usable: Sequence[Candidate],
    rules: CacheRules,
    now: float,
) -> Decision:
    """Serve or validate the chosen response (sections 4.2, 5.2.1)."""
    entry, validity = chosen
    state = freshness(entry, rules, now)
    soft = validity is Validity.SOFT
    reason = _why_stale(state, soft) or _why_unwanted(state, wants, rules)
    if reason is None:
        return Hit(entry, state.age_s, state.ttl_s)
    if reason in {Reason.EXPIRED, Reason.SOFT_INVALIDATED} and not _wants_validation(wants, rules):
        if not soft and not state.terms.forbids_stale and _accepts_stale(state, wants):
            return ServeStale(entry, state.age_s, state.ttl_s, Reason.REQUEST_MAX_STALE, refresh=False)
        if state.staleness_s < state.terms.stale_while_revalidate_s and _tolerates_age(state, wants, rules):
            alike = _entries(matching)
            return ServeStale(entry, state.age_s, state.ttl_s, Reason.STALE_WHILE_REVALIDATE, refresh=True, alike=alike)
    if wants.only_if_cached:
        return GatewayTimeout(Reason.ONLY_IF_CACHED)
    forward = Forward.REQUEST if reason in _BY_REQUEST else Forward.STALE
    fallback = _fallback(state, wants, rules, now)
    others = offerable([other for other, _ in usable if other is not entry], request)
    return Revalidate(entry, others, state.age_s, state.ttl_s, forward, reason, fallback, _entries(matching))


_BY_REQUEST: Final = frozenset({Reason.REQUEST_NO_CACHE, Reason.REQUEST_MAX_AGE, Reason.REQUEST_MIN_FRESH})


def _why_stale(state: Freshness, soft: bool) -> Reason | None:
    """Why the response itself has to be validated before use."""
    if state.terms.must_validate:
        return Reason.NO_CACHE
    if soft:
        return Reason.SOFT_INVALIDATED
    return None if state.is_fresh else Reason.EXPIRED


def _wants_validation(wants: RequestDirectives, rules: CacheRules) -> bool:
    return rules.obey_request_no_cache and wants.no_cache


def _why_unwanted(state: Freshness, wants: RequestDirectives, rules: CacheRules) -> Reason | None:
    """Why a fresh response is not what the client wants (section 5.2.1); max-age and no-cache can be switched off."""
    if _wants_validation(wants, rules):
        return Reason.REQUEST_NO_CACHE
    if not _tolerates_age(state, wants, rules):
        return Reason.REQUEST_MAX_AGE
    if wants.min_fresh_s is not None and rules.obey_request_no_cache and state.ttl_s < wants.min_fresh_s:
        return Reason.REQUEST_MIN_FRESH
    return None


def _tolerates_age(state: Freshness, wants: RequestDirectives, rules: CacheRules) -> bool:
    """Whether the response is young enough for the client's max-age (section 5.2.1.1).

    max-age=0 always asks for validation: that is what a reload sends, however short ago the response came.
    """
    if wants.max_age_s is None or not rules.obey_request_no_cache:
        return True
    allowed = wants.max_age_s + (wants.max_stale_s or 0)
    return allowed > 0 and state.age_s <= allowed


def _accepts_stale(state: Freshness, wants: RequestDirectives) -> bool:
    """Whether the client's max-stale covers it (section 5.2.1.2), and its max-age with it."""
    if wants.max_stale_s is None or state.staleness_s > wants.max_stale_s:
        return False
    return wants.max_age_s is None or state.age_s <= wants.max_age_s + wants.max_stale_s


def _fallback(state: Freshness, wants: RequestDirectives, rules: CacheRules, now: float) -> Fallback:
    """When the stored response may stand in for a failing origin."""
    if state.terms.forbids_stale:
        return Fallback(None, None)
    end_of_freshness = now + state.ttl_s
    window = max(state.terms.stale_if_error_s, float(wants.stale_if_error_s or 0))
    on_error = end_of_freshness + window if window > 0 or state.is_fresh else None
    on_disconnect = end_of_freshness + rules.keep_stale_s if state.terms.may_serve_disconnected else on_error
    if on_error is not None and on_disconnect is not None:
        on_disconnect = max(on_disconnect, on_error)
    overload_s = window if rules.stale_on_overload_s is None else state.terms.stale_on_overload_s
    on_overload = end_of_freshness + overload_s if overload_s > 0 else None
    return Fallback(on_error, on_disconnect, on_overload)
