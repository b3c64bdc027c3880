"""Validation (RFC 9111 section 4.3): asking the origin, applying its answer, answering the client's conditions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from veneer.core.accept import choices
from veneer.core.dates import format_date, moment_of
from veneer.core.entry import Entry, Position
from veneer.core.fields import Fields, Pair
from veneer.core.freshness import lifetime
from veneer.core.headers import NOT_STORED, OWS, end_to_end, split_list, split_quoted
from veneer.core.messages import RequestHead, ResponseHead
from veneer.core.negotiation import as_origin_knows
from veneer.core.outcome import Reason
from veneer.core.rules import CacheRules, SetCookieRule
from veneer.core.sharing import Source
from veneer.core.validators import (
    etag_of,
    has_validator,
    is_weak,
    origin_etag_of,
    strong_match,
    strong_origin_etag,
    weak_match,
)
from veneer.core.vary import describe

CONDITIONS: Final = ("if-none-match", "if-modified-since", "if-match", "if-unmodified-since", "if-range")
_CONDITIONS_AND_RANGE: Final = frozenset({*CONDITIONS, "range"})
CLIENT_CONDITIONS: Final = ("if-none-match", "if-modified-since")
MAX_OFFERED_ETAGS: Final = 16
COOKIE_FIELDS: Final = ("set-cookie", "set-cookie2")

NOT_UPDATED: Final = NOT_STORED | {"content-length", "content-encoding", "content-range"}
"""Fields that a 304 does not change: what the stored bytes depend on (RFC 9111 section 3.2)."""

# ---------------------------------------------------------------- asking the origin


def conditional_request(request: RequestHead, entries: Sequence[Entry]) -> RequestHead:
    """`request` made conditional on the validators of `entries`, the one to be updated first (section 4.3.1).

    The client's own conditions and Range are taken out: they are about its copy, and are evaluated on the outcome.
    Entity tags go out as they came; this proxy's own are not offered. If-Modified-Since goes with the first entry
    only. What else is offered has to be `offerable`.
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


def offerable(entries: Iterable[Entry], request: RequestHead) -> tuple[Entry, ...]:
    """Those of `entries`, variants that were not selected for `request`, that its origin may be asked to choose among.

    Only a strong entity tag tells one variant from all others, and only a whole response, in a coding that the client
    takes, can answer for another.
    """
    return tuple(
        [
            entry
            for entry in entries
            if entry.span is None and strong_origin_etag(entry.fields) is not None and _is_taken(entry, request)
        ]
    )


def _is_taken(entry: Entry, request: RequestHead) -> bool:
    """Whether the client takes the coding in which the origin sent the entry (RFC 9110 section 12.5.3)."""
    coding = entry.fields.joined.get("content-encoding")
    if coding is None:
        return True
    weights = {choice.name: choice.weight for choice in choices(request.fields.joined.get("accept-encoding") or "")}
    anything = weights.get("*", 0.0)
    return all(weights.get(name.lower(), anything) > 0 for name in split_list(coding))


def miss_request(request: RequestHead, variants: Sequence[Entry] = (), *, coded_here: bool) -> RequestHead:
    """What is sent to the origin on a miss.

    With `variants` (nothing stored matches, but others are there that are `offerable`) the origin is offered their
    entity tags, and the client's conditions wait for the outcome: a 304 must not be about both. Otherwise they go along
    as the origin understands them.
    """
    if variants:
        return request.with_fields(conditional_request(request, variants).fields.without(("if-modified-since",)))
    return as_origin_knows(request, coded_here=coded_here)


def completion_request(request: RequestHead, entry: Entry, range_value: str) -> RequestHead:
    """`request` for the rest of a stored beginning (section 3.3); If-Range makes a changed origin send the whole."""
    fields = request.fields.without(_CONDITIONS_AND_RANGE).added(("Range", range_value))
    etag = origin_etag_of(entry.fields)
    if etag is not None and not is_weak(etag):
        fields = fields.added(("If-Range", etag))
    return request.with_fields(fields)


def entry_for_304(selected: Entry | None, offered: Sequence[Entry], head: ResponseHead) -> Entry | None:
    """Which of the entries offered to the origin its 304 confirms (section 4.3.3, 4.3.4).

    `selected` matches the request; the others were offered by their strong entity tags, and nothing else confirms
    them. A 304 that names no tag where several were offered is about the selected one only if its Last-Modified says
    so.
    """
    fresh = head.fields
    named = "etag" in fresh or len(offered) <= 1
    if (
        selected is not None
        and has_validator(selected.fields)
        and _same_representation(selected, fresh)
        and (named or ("last-modified" in fresh and _same_date(selected, fresh)))
    ):
        return selected
    etag = etag_of(fresh)
    if etag is None:
        return None
    return next((e for e in offered if e is not selected and strong_match(etag, origin_etag_of(e.fields) or "")), None)


def is_unasked_304(sent: RequestHead, head: ResponseHead) -> bool:
    """Whether the origin says "not modified" of nothing that was asked about: it stands for no response."""
    return head.status == 304 and not any(name in sent.fields.joined for name in CLIENT_CONDITIONS)


OF_THE_MOMENT: Final = frozenset({400, 407, 408, 412, 413, 414, 415, 416, 417, 421, 425, 426, 428, 429, 431, 511})
"""Statuses that are about one request, its length, its conditions, its moment: they do not say what became of the
resource."""


def outdates(request: RequestHead, status: int) -> bool:
    """Whether the origin's final answer to `request` ends the stored responses that could have been chosen for it.

    Whatever it says, it says in their place (section 4.3.3). A 304 confirms one of them, a part (206) may be one of the
    same representation, and a server's failure says nothing of the resource; to HEAD, some servers say that they do not
    know it, and a 200 is compared (`freshen_from_head`).
    """
    if not 200 <= status < 500 or status in OF_THE_MOMENT or status in {206, 304}:
        return False
    return request.method != "HEAD" or (status >= 300 and status != 405)


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

    A 304 with another strong entity tag, media type or content coding is about another representation and must not
    update this one. `born` is the log position applied before the validation was sent.
    """
    if not _same_representation(entry, head.fields) or _contradicts(entry, head.fields):
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
    """Apply a 200 to HEAD to a stored response to GET that could have been chosen for it (section 4.3.5).

    The validators and the length it carries must be those of the stored response; otherwise that one is outdated. None
    if it says nothing about it: without a validator that both have, an equal length proves nothing.
    """
    if head.status != 200 or entry.status != 200 or entry.span is not None:
        return None
    fresh, stored = head.fields, origin_etag_of(entry.fields)
    length = fresh.get("content-length")
    if length is not None and length != (entry.fields.get("content-length") or str(len(entry.body))):
        return Mismatch(Reason.VALIDATOR_CHANGED)
    etag = etag_of(fresh)
    made_here = stored is None and etag_of(entry.fields) is not None
    other_tag = etag is not None and not made_here and not weak_match(etag, stored or "")
    other_date = "last-modified" in fresh and not _same_date(entry, fresh)
    if other_tag or other_date or _contradicts(entry, fresh):
        return Mismatch(Reason.VALIDATOR_CHANGED)
    if not _same_representation(entry, fresh) or not has_validator(fresh):
        return None
    return _freshened(entry, request, fresh, request_time, response_time, born, rules)


def _same_representation(entry: Entry, fresh: Fields) -> bool:
    """Whether the validators of a 304 are those of `entry`, which was selected for the request (section 4.3.4).

    A strong entity tag must be there in the same bytes. Where neither or a weak one is there, an equal Last-Modified
    tells as much as it did when it was sent.
    """
    etag, stored = etag_of(fresh), origin_etag_of(entry.fields)
    if etag is not None and (stored is not None or not is_weak(etag)):
        return weak_match(etag, stored or "") if is_weak(etag) else strong_match(etag, stored or "")
    if "last-modified" in fresh:
        return stored is not None or _same_date(entry, fresh)
    return etag is None


def _contradicts(entry: Entry, fresh: Fields) -> bool:
    """Whether the fields describe other content than the entry's: another media type, charset or content coding.

    What is not repeated is not contradicted: a 304 has no need to (RFC 9110 section 15.4.5).
    """
    coding = fresh.joined.get("content-encoding")
    if coding is not None and _codings(coding) != _codings(entry.fields.joined.get("content-encoding") or ""):
        return True
    named, stored = fresh.joined.get("content-type"), entry.fields.joined.get("content-type")
    if named is None or stored is None:
        return False
    mine, theirs = _media_type(stored), _media_type(named)
    return mine[0] != theirs[0] or (mine[1] is not None and theirs[1] is not None and mine[1] != theirs[1])


def _codings(value: str) -> list[str]:
    return [name for coding in split_list(value) if (name := coding.lower()) != "identity"]


def _media_type(value: str) -> tuple[str, str | None]:
    """Type and subtype, and the charset where it is given, in lower case (RFC 9110 section 8.3.1)."""
    essence, *parameters = split_quoted(value.lower(), ";")
    charset = None
    for parameter in parameters:
        name, _, text = parameter.strip(OWS).partition("=")
        charset = text.strip('"') if name == "charset" else charset
    return essence.strip(OWS), charset


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
