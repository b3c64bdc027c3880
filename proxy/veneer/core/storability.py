"""Whether a response may be stored by a shared cache (RFC 9111 section 3), and for how long it is of use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mypy_extensions import mypyc_attr

from veneer.core.cache_control import ResponseDirectives, governing_directives, request_directives
from veneer.core.dates import format_date
from veneer.core.entry import ByteSpan, FreshnessTerms
from veneer.core.fields import Fields
from veneer.core.freshness import (
    HEURISTIC_STATUSES,
    Lifetime,
    initial_age,
    is_guarded,
    lifetime_under,
    terms_under,
)
from veneer.core.headers import NOT_STORED, end_to_end
from veneer.core.messages import RequestHead, ResponseHead
from veneer.core.outcome import Reason
from veneer.core.range_fields import parse_content_range
from veneer.core.rules import CacheRules, SetCookieRule
from veneer.core.sharing import Source, passes, shares_authorization, withheld
from veneer.core.target import same_resource
from veneer.core.validators import has_validator
from veneer.core.vary import Variant, describe

UNDERSTOOD_STATUSES: Final = HEURISTIC_STATUSES | {302, 303, 307, 400, 403, 500, 502, 503, 504}
"""Statuses whose caching requirements are implemented here, as must-understand asks (section 5.2.2.3)."""


REQUEST_SPECIFIC_STATUSES: Final = frozenset({401, 407, 408, 412, 413, 416, 417, 421, 425, 426, 428, 429, 431, 511})
"""Statuses that are about one request or one client, in ways the key does not show: credentials, conditions, ranges,
sizes, rates. They are never stored, whatever they say (RFC 6585 forbids it for 428, 429, 431 and 511): a
client could otherwise fill the cache with errors that only its own request deserved."""

NEVER_STORED_STATUSES: Final = REQUEST_SPECIFIC_STATUSES | frozenset(range(100, 200)) | {304}


@mypyc_attr(acyclic=True)
@dataclass(init=False, slots=True, unsafe_hash=True)
class Storable:
    """The response may be stored: with `fields`, as the `vary` variant, for `keep_s` seconds from now at most.

    `may_share` tells whether requests that wait for this response (coalescing) may be answered with it as well: it is
    fresh and need not be validated. Whether it is for one of them is another question (`reuse.decide`).
    `span` is set for a 206. `as_get` marks a response to POST that answers later GETs.
    """

    fields: Final[Fields]
    vary: Final[Variant]
    lifetime: Final[Lifetime]
    keep_s: Final[float]
    may_share: Final[bool]
    span: Final[ByteSpan | None]
    as_get: Final[bool]

    def __init__(
        self,
        fields: Fields,
        vary: Variant,
        lifetime: Lifetime,
        keep_s: float,
        may_share: bool,
        span: ByteSpan | None = None,
        as_get: bool = False,
    ) -> None:
        self.fields = fields
        self.vary = vary
        self.lifetime = lifetime
        self.keep_s = keep_s
        self.may_share = may_share
        self.span = span
        self.as_get = as_get


@mypyc_attr(acyclic=True)
class StorageTerms:
    """What a response that may be stored says of that, but for its age and its validators: see `judge_under`.

    `freshness` is as if the response had come without any age. `depends_on_dates` tells whether another Date or
    Last-Modified would have led to other terms.
    """

    __slots__ = ("as_get", "depends_on_dates", "directives", "freshness", "lifetime", "span", "vary")

    def __init__(
        self,
        directives: ResponseDirectives,
        lifetime: Lifetime,
        freshness: FreshnessTerms,
        vary: Variant,
        span: ByteSpan | None,
        as_get: bool,
        depends_on_dates: bool,
    ) -> None:
        self.directives: Final = directives
        self.lifetime: Final = lifetime
        self.freshness: Final = freshness
        self.vary: Final = vary
        self.span: Final = span
        self.as_get: Final = as_get
        self.depends_on_dates: Final = depends_on_dates


@mypyc_attr(acyclic=True)
@dataclass(init=False, slots=True, unsafe_hash=True)
class NotStorable:
    """The response must not be stored.

    `remember` advises to let further requests for the key not wait for each other: the reason lies in the resource,
    not in this request or this moment.
    """

    reason: Final[Reason]
    remember: Final[bool]

    def __init__(self, reason: Reason, remember: bool = False) -> None:
        self.reason = reason
        self.remember = remember


Judgement = Storable | NotStorable

PERSISTENT_REASONS: Final = frozenset(
    {
        Reason.NO_STORE,
        Reason.PRIVATE,
        Reason.AUTHORIZATION,
        Reason.SET_COOKIE,
        Reason.COOKIE,
        Reason.NO_IDENTITY,
        Reason.VARY_STAR,
        Reason.NO_FRESHNESS,
        Reason.NO_USE,
    }
)


def judge(
    request: RequestHead,
    response: ResponseHead,
    rules: CacheRules,
    request_time: float,
    response_time: float,
    *,
    body_digest: str | None = None,
) -> Judgement:
    """Decide on a final response to `request` that was sent at `request_time` and answered at `response_time`.

    The body's size and completeness are not known yet: see `check_body`.
    """
    terms = storage_terms(request, response, rules, response_time, body_digest=body_digest)
    if isinstance(terms, NotStorable):
        return terms
    return judge_under(terms, response, rules, request_time, response_time)


def storage_terms(
    request: RequestHead,
    response: ResponseHead,
    rules: CacheRules,
    response_time: float,
    *,
    body_digest: str | None = None,
) -> StorageTerms | NotStorable:
    """What a response says of its storing, but for its age and its validators."""
    directives = governing_directives(response.fields, rules.targeted_fields)
    reason = (
        _refused_by_method(request, response, body_digest)
        or _refused_by_status(response, directives)
        or _refused_by_directives(request, directives)
    )
    if reason is not None:
        return _not_storable(reason, response)
    life = lifetime_under(directives, response.status, response.fields, response_time, rules)
    guarded = is_guarded(directives, life, response.fields, response_time)
    reason = (
        _refused_by_privacy(request, response, directives, rules, life)
        or _refused_for_no_freshness(request, response, directives, life)
        or (withheld(request.fields, rules) if guarded else None)
    )
    if reason is not None:
        return _not_storable(reason, response)
    vary = describe(request, response.fields, rules)
    if vary is None:
        return _not_storable(Reason.VARY_STAR, response)
    span = _span(request, response.fields) if response.status == 206 else None
    if response.status == 206 and span is None:
        return _not_storable(Reason.BAD_CONTENT_RANGE, response)
    freshness = terms_under(directives, life, response.fields, 0.0, response_time, rules)
    dated = _depends_on_dates(directives, life, response.fields)
    return StorageTerms(directives, life, freshness, vary, span, request.method == "POST", dated)


def _depends_on_dates(directives: ResponseDirectives, life: Lifetime, fields: Fields) -> bool:
    """Whether the lifetime, or who may have it, hangs on a date: Expires less Date, or the time since Last-Modified."""
    if directives.s_maxage_s is not None or directives.max_age_s is not None:
        return False
    return life.source is not Source.POLICY or "expires" in fields.joined


def judge_under(
    terms: StorageTerms, response: ResponseHead, rules: CacheRules, request_time: float, response_time: float
) -> Judgement:
    """The judgement of a response to which `terms` apply: those of its own head.

    They are those of another one as well, to a request alike, if the heads differ in nothing but Date, Last-Modified,
    ETag and what says nothing about storing, unless the terms depend on dates.
    """
    age_s = initial_age(response.fields, request_time, response_time)
    keep_s = _keep(terms.freshness, age_s, rules, can_validate=has_validator(response.fields))
    if keep_s <= 0:
        return _not_storable(Reason.NO_USE, response)
    fields = stored_fields(response.fields, terms.directives, rules, response_time)
    fresh = terms.freshness.lifetime_s > age_s and not terms.freshness.must_validate
    return Storable(
        fields, terms.vary, terms.lifetime, keep_s, fresh and not _sets_cookie(fields), terms.span, terms.as_get
    )


def _not_storable(reason: Reason, response: ResponseHead) -> NotStorable:
    """A server's failure is of the moment, whatever else is true of it."""
    return NotStorable(reason, remember=reason in PERSISTENT_REASONS and response.status < 500)


def check_body(storable: Storable, length: int, rules: CacheRules) -> Storable | NotStorable:
    """The judgement once `length` bytes of body have been received, all of them.

    The body of a 206 that is shorter than its Content-Range says is damaged: only what came counts, unless the route
    trusts it; a longer one is not stored.
    """
    if length > rules.max_body_bytes:
        return NotStorable(Reason.TOO_LARGE)
    span = storable.span
    if span is None:
        return storable
    announced = span.last - span.first + 1
    if length == announced or (length < announced and rules.trust_short_partial):
        return storable
    if length > announced or length == 0:
        return NotStorable(Reason.BAD_CONTENT_RANGE)
    held = ByteSpan(span.first, span.first + length - 1, span.complete, span.asked)
    return Storable(
        storable.fields, storable.vary, storable.lifetime, storable.keep_s, storable.may_share, held, storable.as_get
    )


def stored_fields(fields: Fields, directives: ResponseDirectives, rules: CacheRules, response_time: float) -> Fields:
    """The fields that are stored: end-to-end ones less those named by qualified no-cache and private (section 3.1)."""
    drop = NOT_STORED
    if directives.no_cache_fields or directives.private_fields:
        drop = drop | directives.no_cache_fields | directives.private_fields
    if rules.set_cookie is SetCookieRule.STRIP:
        drop = drop | {"set-cookie", "set-cookie2"}
    kept = end_to_end(fields, drop)
    if "date" not in kept.joined:
        kept = kept.added(("Date", format_date(response_time)))
    return kept


def _refused_by_method(request: RequestHead, response: ResponseHead, body_digest: str | None) -> Reason | None:
    """Only methods whose caching is understood (section 3): GET, QUERY with its content, POST under conditions."""
    if request.method == "GET":
        return None
    if request.method == "QUERY":
        return None if body_digest is not None else Reason.QUERY_WITHOUT_DIGEST
    if request.method != "POST":
        return Reason.METHOD
    location = response.fields.get("content-location")
    if location is None or response.status != 200 or not same_resource(request, location):
        return Reason.POST_WITHOUT_LOCATION
    return None


def _refused_by_status(response: ResponseHead, directives: ResponseDirectives) -> Reason | None:
    if response.status < 200:
        return Reason.STATUS_INTERIM
    if response.status == 304:
        return Reason.STATUS_NOT_MODIFIED
    if response.status in REQUEST_SPECIFIC_STATUSES:
        return Reason.STATUS_ABOUT_REQUEST
    if directives.must_understand and response.status not in UNDERSTOOD_STATUSES:
        return Reason.STATUS_NOT_UNDERSTOOD
    return None


def _refused_by_directives(request: RequestHead, directives: ResponseDirectives) -> Reason | None:
    if request_directives(request.fields).no_store:
        return Reason.REQUEST_NO_STORE
    if directives.no_store and not directives.must_understand:
        return Reason.NO_STORE
    return Reason.PRIVATE if directives.private else None


def _refused_by_privacy(
    request: RequestHead, response: ResponseHead, directives: ResponseDirectives, rules: CacheRules, life: Lifetime
) -> Reason | None:
    """Authorization (section 3.5) and Set-Cookie (section 7.3)."""
    shared_explicitly = directives.public or directives.must_revalidate or directives.s_maxage_s is not None
    if "authorization" in request.fields.joined and not shared_explicitly and not shares_authorization(rules):
        return Reason.AUTHORIZATION
    passed = passes(request.fields, rules)
    if passed is not None:
        return passed
    if _sets_cookie(response.fields) and not _drops_cookie(directives):
        if rules.set_cookie is SetCookieRule.REFUSE:
            return Reason.SET_COOKIE
        if rules.set_cookie is SetCookieRule.EXPLICIT and life.source is not Source.EXPLICIT:
            return Reason.SET_COOKIE
    return None


def _sets_cookie(fields: Fields) -> bool:
    known = fields.joined
    return "set-cookie" in known or "set-cookie2" in known


def _drops_cookie(directives: ResponseDirectives) -> bool:
    """Whether the origin says itself that the response is stored without its cookie (sections 5.2.2.4, 5.2.2.7)."""
    return "set-cookie" in directives.no_cache_fields or "set-cookie" in directives.private_fields


def _refused_for_no_freshness(
    request: RequestHead, response: ResponseHead, directives: ResponseDirectives, life: Lifetime
) -> Reason | None:
    """Without an explicit lifetime only some statuses may be stored, or any that is marked public (section 3).

    A response to POST needs one in any case (RFC 9110 section 9.3.3).
    """
    if request.method == "POST" and life.source is not Source.EXPLICIT:
        return Reason.NO_FRESHNESS
    if life.source is Source.EXPLICIT or life.source is Source.POLICY or directives.public:
        return None
    return None if response.status in HEURISTIC_STATUSES else Reason.NO_FRESHNESS


def _keep(terms: FreshnessTerms, age_s: float, rules: CacheRules, *, can_validate: bool) -> float:
    """Seconds for which the response can be of use: fresh, stale within a window, or as a base for validation."""
    if terms.must_validate and not can_validate:
        return 0.0
    left_s = terms.lifetime_s - age_s
    keep_s = max(left_s + terms.longest_stale_s, 0.0)
    if can_validate or (terms.lifetime_s > 0 and terms.may_serve_disconnected):
        keep_s = max(keep_s, max(left_s, 0.0) + rules.keep_stale_s)
    return keep_s


def _span(request: RequestHead, fields: Fields) -> ByteSpan | None:
    """The part that a 206 carries; None for multipart or malformed ones (RFC 9110 section 14.4)."""
    if (fields.get("content-type") or "").lower().startswith("multipart/byteranges"):
        return None
    found = parse_content_range(fields.get("content-range"))
    if found is None:
        return None
    return ByteSpan(found.first, found.last, found.complete, request.fields.get("range"))
