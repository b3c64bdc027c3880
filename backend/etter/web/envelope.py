"""The shapes that every response body has."""

import datetime as dt
from typing import Generic, Literal, TypeVar

import msgspec

from etter.errors import JsonScalar

T = TypeVar("T")


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that went wrong although the whole succeeded (partial results)."""

    source: str
    message: str


class Envelope(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A successful answer."""

    data: T
    timestamp: dt.datetime
    status: Literal["success"] = "success"
    errors: tuple[Problem, ...] = ()
    message: str | None = None


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A refused or failed request."""

    error_code: str
    message: str
    metadata: dict[str, JsonScalar]
    timestamp: dt.datetime
    status: Literal["failure"] = "failure"


class Links(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where to go from a page; what does not exist is left out. Also sent as a `Link` field (RFC 8288)."""

    self: str
    first: str | None = None
    prev: str | None = None
    next: str | None = None
    last: str | None = None


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One page of a list. With keyset pagination `total`, `page` and `total_pages` are not computed."""

    items: list[T]
    total: int | None
    page: int | None
    page_size: int
    total_pages: int | None
    has_next: bool
    has_previous: bool
    next_cursor: str | None
    links: Links
