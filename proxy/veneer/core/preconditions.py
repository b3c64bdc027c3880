"""The client's conditions on a response that would be sent: 304, 412, or as it is (RFC 9110 section 13)."""

from __future__ import annotations

from enum import Enum
from typing import Final

from veneer.core.dates import moment_of, parse_date
from veneer.core.field_table import CONTENT_DIGESTS
from veneer.core.fields import Fields
from veneer.core.freshness import date_value
from veneer.core.messages import RequestHead
from veneer.core.validators import etag_of, split_etags, strong_match, weak_match

NOT_IN_304: Final = CONTENT_DIGESTS | {
    "content-length",
    "content-type",
    "content-encoding",
    "content-language",
    "content-range",
    "accept-ranges",
}
"""Representation metadata, left out of a 304 (RFC 9110 section 15.4.5), and digests of content, for it has none."""


CONDITIONS: Final = frozenset({"if-match", "if-modified-since", "if-none-match", "if-unmodified-since"})
"""The fields that `evaluate` reads: a request with none of them has no condition."""


class Precondition(Enum):
    """What the request's conditions make of a response that would otherwise be sent (RFC 9110 section 13.2)."""

    PROCEED = "proceed"
    NOT_MODIFIED = "not-modified"  # send 304 with `not_modified_fields`
    FAILED = "failed"  # send 412


def evaluate(request: RequestHead, status: int, fields: Fields, now: float, *, as_origin: bool = False) -> Precondition:
    """The client's conditions on a response that would be sent with `status` and `fields` (RFC 9110 section 13.2.2).

    If-Match and If-Unmodified-Since count only with `as_origin`: a cache must not evaluate them (RFC 9111 4.3.2).
    If-None-Match, weakly compared, takes precedence over If-Modified-Since.
    """
    if not 200 <= status < 300:
        return Precondition.PROCEED
    if as_origin and _origin_condition_fails(request.fields, fields, now):
        return Precondition.FAILED
    asked = request.fields.joined
    none_match = asked.get("if-none-match")
    if none_match is not None:
        if not _matches_any(none_match, fields):
            return Precondition.PROCEED
        return Precondition.NOT_MODIFIED if request.method in {"GET", "HEAD", "QUERY"} else Precondition.FAILED
    since = asked.get("if-modified-since")
    if since is None or request.method not in {"GET", "HEAD"}:
        return Precondition.PROCEED
    return Precondition.NOT_MODIFIED if _not_modified_since(since, fields, now) else Precondition.PROCEED


def _matches_any(value: str, fields: Fields) -> bool:
    if value.strip() == "*":
        return True
    etag = etag_of(fields)
    return etag is not None and any(weak_match(tag, etag) for tag in split_etags(value))


def _not_modified_since(since: str, fields: Fields, now: float) -> bool:
    """Last-Modified, else Date, is not later than the client's date (section 4.3.2)."""
    moment = parse_date(since, now)
    if moment is None:
        return False
    if "last-modified" not in fields:
        return date_value(fields, now) <= moment
    modified = moment_of(fields, "last-modified", now)
    return modified is not None and modified <= moment


def _origin_condition_fails(wanted: Fields, fields: Fields, now: float) -> bool:
    match = wanted.get("if-match")
    if match is not None:
        etag = etag_of(fields)
        tags = split_etags(match)
        return match.strip() != "*" and (etag is None or not any(strong_match(tag, etag) for tag in tags))
    since = wanted.get("if-unmodified-since")
    moment = None if since is None else parse_date(since, now)
    modified = moment_of(fields, "last-modified", now)
    return moment is not None and modified is not None and modified > moment


def not_modified_fields(fields: Fields) -> Fields:
    """The fields of the 304 that stands for a response with `fields` (RFC 9110 section 15.4.5).

    Last-Modified stays only where there is no entity tag.
    """
    drop = NOT_IN_304 | {"last-modified"} if "etag" in fields else NOT_IN_304
    return fields.without(drop)
