"""Validation (RFC 9111 section 4.3): asking the origin, applying its answer, answering the client's conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from proxy.core.dates import format_date, moment_of
from proxy.core.entry import Entry, Position
from proxy.core.fields import Fields, Pair
from proxy.core.freshness import Source, lifetime
from proxy.core.headers import NOT_STORED, end_to_end
from proxy.core.messages import RequestHead, ResponseHead
from proxy.core.negotiation import is_coded_etag
from proxy.core.outcome import Reason
from proxy.core.rules import CacheRules, SetCookieRule
from proxy.core.validators import (
    etag_of,
    has_validator,
    is_own,
    is_weak,
    origin_etag_of,
    split_etags,
    strong_match,
    weak_match,
)
from proxy.core.vary import describe

CONDITIONS: Final = ("if-none-match", "if-modified-since", "if-match", "if-unmodified-since", "if-range")
_CONDITIONS_AND_RANGE: Final = frozenset({*CONDITIONS, "range"})
CLIENT_CONDITIONS: Final = ("if-none-match", "if-modified-since")
MAX_OFFERED_ETAGS: Final = 16
COOKIE_FIELDS: Final = ("set-cookie", "set-cookie2")

NOT_UPDATED: Final = NOT_STORED | {"content-length", "content-encoding", "content-range"}
"""Fields that a 304 does not change: what the stored octets depend on (RFC 9111 section 3.2)."""

# ---------------------------------------------------------------- asking the origin


def conditional_request(request: RequestHead, entries: Sequence[Entry]) -> RequestHead:
    """`request` made conditional on the validators of `entries`, the one to be updated first (section 4.3.1).

    The client's own conditions and Range are taken out: they are about its copy, and are evaluated on the outcome.
    Entity tags go out as they came; this proxy's own are not offered. If-Modified-Since goes with the first entry
    only.
    """
    fields = request.fields.without(_CONDITIONS_AND_RANGE)
    if entries and entries[0].span is not None and "range" in request.fields:
        fields = fields.added(("Range", request.fields.get("range") or ""))
    etags: list[str] = []
    for entry in entries[:MAX_OFFERED_ETAGS]:
        etag = origin_etag_of(entry.fields)
        if etag is not None and etag not in etags:
            etags.append(etag)
    if etags:
        fields = fields.added(("If-None-Match", ", ".join(etags)))
    modified = entries[0].fields.get("last-modified") if entries else None
    if modified is not None:
        fields = fields.added(("If-Modified-Since", modified))
    return request.with_fields(fields)


def unconditional_request(request: RequestHead) -> RequestHead:
    """`request` without the client's conditions and Range: for a fetch that is to be stored whole."""
    return request.with_fields(request.fields.without(_CONDITIONS_AND_RANGE))


def miss_request(request: RequestHead, variants: Sequence[Entry] = ()) -> RequestHead:
    """What is sent to the origin on a miss.

    With `variants` (nothing stored matches, but other variants are there) the origin is offered their entity tags.
    Otherwise the client's conditions go along, unless they name an entity tag that only this proxy knows.
    """
    if any(origin_etag_of(entry.fields) is not None for entry in variants):
        return request.with_fields(conditional_request(request, variants).fields.without(("if-modified-since",)))
    known_here = request.fields.joined.get("if-none-match")
    if known_here is not None and any(is_own(tag) or is_coded_etag(tag) for tag in split_etags(known_here)):
        return request.with_fields(request.fields.without(CLIENT_CONDITIONS))
    return request


def completion_request(request: RequestHead, entry: Entry, range_value: str) -> RequestHead:
    """`request` for the rest of a stored beginning (section 3.3); If-Range makes a changed origin send the whole."""
    fields = request.fields.without(_CONDITIONS_AND_RANGE).added(("Range", range_value))
    etag = origin_etag_of(entry.fields)
    if etag is not None and not is_weak(etag):
        fields = fields.added(("If-Range", etag))
    return request.with_fields(fields)


def entry_for_304(entries: Sequence[Entry], head: ResponseHead) -> Entry | None:
    """Which of the entries offered to the origin its 304 selects (section 4.3.3, 4.3.4)."""
    same = [e for e in entries if has_validator(e.fields) and _same_representation(e, head.fields)]
    if len(same) == 1:
        return same[0]
    if "etag" in head.fields:
        return same[0] if same else None
    modified = head.fields.get("last-modified")
    return next((e for e in same if modified is not None and e.fields.get("last-modified") == modified), None)


# ---------------------------------------------------------------- applying the answer


@dataclass(frozen=True, slots=True)
class Freshened:
    """The stored response, updated by a 304 or a response to HEAD. Judge again whether it may stay stored.

    `personal` are Set-Cookie lines for the client that asked, which the stored response must not keep.
    """

    entry: Entry
    personal: tuple[Pair, ...] = ()


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The answer is about another representation: do not use the stored one, fetch anew."""

    reason: Reason


def freshen(
    entry: Entry,
    request: RequestHead,
    head: ResponseHead,
    *,
    request_time: float,
    response_time: float,
    born: Position,
    rules: CacheRules,
) -> Freshened | Mismatch:
    """Apply a 304 to the entry it validates (section 4.3.4).

    A 304 with another strong entity tag is about another representation and must not update this one. `born` is the
    log position applied before the validation was sent.
    """
    if not _same_representation(entry, head.fields):
        return Mismatch(Reason.VALIDATOR_CHANGED)
    return _freshened(entry, request, head.fields, request_time, response_time, born, rules)


def freshen_from_head(
    entry: Entry,
    request: RequestHead,
    head: ResponseHead,
    *,
    request_time: float,
    response_time: float,
    born: Position,
    rules: CacheRules,
) -> Freshened | Mismatch | None:
    """Apply a 200 to HEAD to the stored response to GET (section 4.3.5); None if it says nothing about it.

    The validators and the length it carries must be those of the stored response; otherwise that one is outdated.
    """
    if head.status != 200 or entry.status != 200 or entry.span is not None:
        return None
    length = head.fields.get("content-length")
    if length is not None and length != (entry.fields.get("content-length") or str(len(entry.body))):
        return Mismatch(Reason.VALIDATOR_CHANGED)
    for name in ("etag", "last-modified"):
        fresh, stored = head.fields.get(name), entry.fields.get(name)
        if fresh is not None and fresh != stored and not (name == "etag" and stored is not None and is_own(stored)):
            return Mismatch(Reason.VALIDATOR_CHANGED)
    return _freshened(entry, request, head.fields, request_time, response_time, born, rules)


def _same_representation(entry: Entry, fresh: Fields) -> bool:
    """Whether the validators of a 304 are those of `entry` (section 4.3.4).

    A strong entity tag must be there in the same octets. Where the stored response has none of the origin's, an equal
    Last-Modified tells as much as it did when it was sent.
    """
    etag, stored = etag_of(fresh), origin_etag_of(entry.fields)
    if etag is not None and stored is not None:
        return weak_match(etag, stored) if is_weak(etag) else strong_match(etag, stored)
    if "last-modified" in fresh:
        return stored is not None or _same_date(entry, fresh)
    return etag is None


def _same_date(entry: Entry, fresh: Fields) -> bool:
    if entry.fields.get("last-modified") == fresh.get("last-modified"):
        return True
    stored = moment_of(entry.fields, "last-modified", entry.response_time)
    return stored is not None and stored == moment_of(fresh, "last-modified", entry.response_time)


def _freshened(
    entry: Entry,
    request: RequestHead,
    fresh: Fields,
    request_time: float,
    response_time: float,
    born: Position,
    rules: CacheRules,
) -> Freshened:
    """The entry with its fields replaced by the fresh ones (section 3.2) and its times renewed."""
    news = end_to_end(fresh).without(NOT_UPDATED)
    fields = _merged(entry.fields, news, response_time)
    personal: tuple[Pair, ...] = ()
    if "set-cookie" in news and not _keeps_cookies(entry.status, fields, response_time, rules):
        personal = tuple(("Set-Cookie", line) for line in news.lines("set-cookie"))
        fields = _merged(entry.fields, news.without(COOKIE_FIELDS), response_time)
    vary = describe(request, fields, rules)
    updated = replace(
        entry,
        fields=fields,
        request_time=request_time,
        response_time=response_time,
        born=born,
        vary=entry.vary if vary is None else vary,
    )
    return Freshened(updated, personal)


def _merged(stored: Fields, news: Fields, response_time: float) -> Fields:
    # an Age that is not repeated is over: the response has just been validated
    kept = stored.without((*news.names(), "age", "date"))
    date = () if "date" in news else (("Date", format_date(response_time)),)
    return Fields((*kept.pairs, *news.pairs, *date))


def _keeps_cookies(status: int, fields: Fields, response_time: float, rules: CacheRules) -> bool:
    """Whether a response with cookies would be stored with them (section 7.3, see core.storability)."""
    if rules.set_cookie is SetCookieRule.EXPLICIT:
        return lifetime(status, fields, response_time, rules).source is Source.EXPLICIT
    return rules.set_cookie is SetCookieRule.STORE
