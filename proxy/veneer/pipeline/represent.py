"""From a stored response to what this client gets: coding, conditions, ranges, in the order of RFC 9110 section 13.2.

The lines that this proxy adds to every response stand here as well. Nothing is waited for: a body that is to be coded
is left to the reply.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from veneer.core.entry import Entry
from veneer.core.fields import Fields, Pair
from veneer.core.forwarding import VIA, via_and_date
from veneer.core.messages import BytesLike, RequestHead, ResponseHead
from veneer.core.negotiation import choose_coding, coded_fields_of_entry, passing_form, why_not_coded
from veneer.core.outcome import CACHE_STATUS, CacheStatus, cache_status_line
from veneer.core.preconditions import CONDITIONS, Precondition, evaluate, not_modified_fields
from veneer.core.ranges import (
    OF_THE_CONTENT,
    Part,
    Parts,
    Replay,
    Unsatisfiable,
    answer_from_partial,
    answer_range,
    choose_boundary,
    multipart,
    slice_of,
)
from veneer.core.rate import RateVerdict, limit_field
from veneer.core.record import fast_struct
from veneer.pipeline.context import Exchange


@fast_struct
class Representation:
    """What leaves: a head without framing, and the bytes, where there are `pieces` these in place of the body.

    `coding` is "" for the stored form; `identity_bytes` is the body's length before this proxy coded it. A body that is
    `uncoded` is yet to be coded.
    """

    head: ResponseHead
    body: bytes
    coding: str = ""
    identity_bytes: int = 0
    uncoded: bool = False
    pieces: tuple[BytesLike, ...] = ()


def represent(exchange: Exchange, entry: Entry, now: float) -> Representation:
    """The representation of `entry` that answers the request at `now` (seconds since the epoch)."""
    request = exchange.request
    if entry.span is not None:
        return _varied(exchange, _from_part(request, entry))
    coding, fields = coded_form(exchange, entry)
    asked = request.fields.joined
    if not CONDITIONS.isdisjoint(asked):
        conditional = _conditional(request, entry, coding, fields, now)
        if conditional is not None:
            return conditional
    if "range" in asked:
        ranged = _ranged(request, entry, fields)
        if ranged is not None:
            return ranged
    head = ResponseHead(entry.status, entry.reason, fields)
    if coding is None:
        return Representation(head, entry.body)
    return Representation(head, entry.body, coding, len(entry.body), uncoded=True)


def _conditional(
    request: RequestHead, entry: Entry, coding: str | None, fields: Fields, now: float
) -> Representation | None:
    """The answer that the request's conditions demand; None where the response itself is to be sent.

    Of the two forms that a coding has, the one that the client holds is the one selected for it (RFC 9110 section
    13.1.2): they say the same, and to send the other would cost more than it spares.
    """
    match evaluate(request, entry.status, fields, now):
        case Precondition.NOT_MODIFIED:
            return Representation(ResponseHead(304, "Not Modified", not_modified_fields(fields)), b"")
        case Precondition.FAILED:
            return Representation(ResponseHead(412, "Precondition Failed", Fields()), b"")
    if coding is not None and "if-none-match" in request.fields.joined:
        kept = entry.coded_in(coding)
        other = coded_fields_of_entry(entry.fields, coding, recompressed=kept is None or not kept.recompressed)
        if evaluate(request, entry.status, other, now) is Precondition.NOT_MODIFIED:
            return Representation(ResponseHead(304, "Not Modified", not_modified_fields(other)), b"")
    return None


def coded_form(exchange: Exchange, entry: Entry) -> tuple[str | None, Fields]:
    """The coding for this client, and the fields of that form. Ranges are taken from the uncoded form."""
    compress = exchange.match.route.compress
    if not compress.enabled:
        return None, entry.fields
    head, request = ResponseHead(entry.status, entry.reason, entry.fields), exchange.request
    get = replace(request, method="GET") if request.method == "HEAD" else request
    if why_not_coded(get, head, len(entry.body), compress.coding) is not None:
        return None, entry.fields
    asked = request.fields.joined
    coding = None if "range" in asked else choose_coding(asked.get("accept-encoding"), compress.coding.prefer)
    kept = None if coding is None else entry.coded_in(coding)
    return coding, coded_fields_of_entry(entry.fields, coding, recompressed=kept is not None and kept.recompressed)


def _varied(exchange: Exchange, part: Representation) -> Representation:
    """A part with the Vary that the whole would have (RFC 9110 section 15.3.7)."""
    compress, head = exchange.match.route.compress, part.head
    form = passing_form(exchange.request, head, None, compress.coding if compress.enabled else None)
    return Representation(ResponseHead(head.status, head.reason, form.fields), part.body, pieces=part.pieces)


def _from_part(request: RequestHead, entry: Entry) -> Representation:
    """A stored 206: replayed, or a part of it."""
    found = answer_from_partial(entry, request)
    if found is None or isinstance(found, Replay):
        return Representation(ResponseHead(entry.status, entry.reason, entry.fields), entry.body)
    return _part(entry, entry.fields, found)


def _ranged(request: RequestHead, entry: Entry, fields: Fields) -> Representation | None:
    """The ranges that the request asks for; None for the whole."""
    match answer_range(request, entry.status, fields, len(entry.body)):
        case Part() as part:
            return _part(entry, fields, part)
        case Parts(parts=parts):
            return _multipart(parts, entry, fields)
        case Unsatisfiable() as unsatisfiable:
            head = Fields([("Content-Range", unsatisfiable.content_range)])
            return Representation(ResponseHead(416, "Range Not Satisfiable", head), b"")
    return None


def _part(entry: Entry, fields: Fields, part: Part) -> Representation:
    kept = fields.without(OF_THE_CONTENT)
    head = ResponseHead(206, "Partial Content", kept.added(("Content-Range", part.content_range)))
    return Representation(head, b"", pieces=(slice_of(entry, part),))


def _multipart(parts: Iterable[Part], entry: Entry, fields: Fields) -> Representation:
    wanted = list(parts)
    boundary = choose_boundary(entry.body, str(len(entry.body)))
    pieces = tuple(multipart(wanted, entry.body, fields.get("content-type"), boundary))
    kept = fields.without(OF_THE_CONTENT | {"content-type"})
    typed = kept.added(("Content-Type", f"multipart/byteranges; boundary={boundary}"))
    return Representation(ResponseHead(206, "Partial Content", typed), b"", pieces=pieces)


CACHE_NAME: Final = "Veneer"
"""This cache's name in Cache-Status (RFC 9211 section 2)."""

OWN_FIELDS: Final = frozenset({"x-cache-invalidate", "x-request-id", "x-response-time"})
"""Fields that the backend sends for this proxy, or that this proxy speaks for itself."""

_REPLACED: Final = OWN_FIELDS | CACHE_STATUS | VIA
_REPLACED_WITH_AGE: Final = _REPLACED | {"age"}


def proxy_lines(
    fields: Fields,
    cache: CacheStatus,
    request_id: str,
    elapsed_ms: float,
    rate: RateVerdict | None,
    *,
    via: str,
    now: float,
) -> tuple[Pair, ...]:
    """What every response with `fields` gets on its way to the client.

    What every response to a client has (core.forwarding.to_client), and behind that Cache-Status, request ID, response
    time and rate limit, in this order.
    """
    told = cache_status_line(fields, CACHE_NAME, cache)
    took = ("X-Response-Time", millis(int(elapsed_ms * 1000 + 0.5)))
    own = (*via_and_date(fields, via=via, now=now), told, ("X-Request-ID", request_id), took)
    if rate is None:
        return own
    return *own, ("RateLimit-Policy", rate.limit.policy_text), ("RateLimit", limit_field(rate))


def with_lines(head: ResponseHead, lines: tuple[Pair, ...], age: Pair | None = None) -> ResponseHead:
    """The head with `proxy_lines` in place of what they replace, and `age`, where it is given, in place of its own."""
    if age is None:
        return ResponseHead(head.status, head.reason, head.fields.changed(_REPLACED, lines))
    return ResponseHead(head.status, head.reason, head.fields.changed(_REPLACED_WITH_AGE, (age, *lines)))


def millis(elapsed_us: int) -> str:
    """Milliseconds with three decimals; a format would cost three times as much."""
    return f"{elapsed_us // 1000}.{str(1000 + elapsed_us % 1000)[1:]}ms"
