"""Requests, responses and entries made by the core's own rules, for tests of the core."""

from __future__ import annotations

from veneer.core.dates import format_date
from veneer.core.entry import Entry, Position
from veneer.core.fields import Fields, Pair
from veneer.core.key import no_vary_search, uri
from veneer.core.messages import RequestHead, ResponseHead
from veneer.core.rules import CacheRules
from veneer.core.storability import Storable, check_body, judge

T = 1_800_000_000.0
"""The moment at which the origin answers, a whole second."""

RULES = CacheRules()
BORN = Position("epoch", 7)
DATE: Pair = ("Date", format_date(T))


def request(*fields: Pair, method: str = "GET", path: str = "/a", query: str | None = None) -> RequestHead:
    """A request to host `site`."""
    return RequestHead(method, path, query, "site", Fields(fields))


def response(*fields: Pair, status: int = 200) -> ResponseHead:
    """A response with exactly these fields."""
    return ResponseHead(status, "", Fields(fields))


def dated(*fields: Pair, status: int = 200) -> ResponseHead:
    """A response made at `T`."""
    return response(DATE, *fields, status=status)


def entry_of(
    head: ResponseHead,
    to: RequestHead | None = None,
    *,
    body: bytes = b"0123456789",
    rules: CacheRules = RULES,
    at: float = T,
) -> Entry:
    """What is stored of `head`, received at `at` in answer to `to`. Fails if it may not be stored."""
    asked = to if to is not None else request()
    judged = judge(asked, head, rules, at, at)
    assert isinstance(judged, Storable), judged
    judged = check_body(judged, len(body), rules)
    assert isinstance(judged, Storable), judged
    return Entry(
        status=head.status,
        reason=head.reason,
        fields=judged.fields,
        body=body,
        request_time=at,
        response_time=at,
        uri=uri(asked, rules.key, no_vary_search(judged.fields)),
        born=BORN,
        vary=judged.vary,
        span=judged.span,
    )
