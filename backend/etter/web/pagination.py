"""Pages by number for people, by cursor for depth; `fields` to choose columns; links between pages."""

import base64
import binascii
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec
from yarl import URL

from etter.errors import ValidationError
from etter.web.envelope import Links, Page
from etter.web.fields import Cursor, FieldList, PageNumber, PageSize

T = TypeVar("T")
CursorKey = tuple[str | int, int]
MAX_OFFSET = 10_000
_CURSOR = msgspec.json.Decoder(CursorKey)


class ListQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What every list understands. `cursor` (empty to start) replaces `page`."""

    page: PageNumber = 1
    page_size: PageSize = 20
    cursor: Cursor | None = None
    fields: FieldList | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a list to read: an offset, or what follows a key. One row more than asked tells `has_next`."""

    page: int | None
    size: int
    after: CursorKey | None = None

    @property
    def offset(self) -> int:
        """Rows to skip; none when a cursor leads the way."""
        return 0 if self.page is None else (self.page - 1) * self.size


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """Rows of one window and their ids. `total` is None with a cursor; `last_key` is the key of the last row."""

    rows: Sequence[T]
    total: int | None
    has_next: bool
    last_key: CursorKey | None
    ids: tuple[int, ...] = ()


def window_of(query: ListQuery) -> Window:
    """Read the pagination parameters; refuse offsets so deep that every page would cost a scan."""
    if query.cursor is not None:
        return Window(page=None, size=query.page_size, after=decode_cursor(query.cursor))
    window = Window(page=query.page, size=query.page_size)
    if window.offset > MAX_OFFSET:
        msg = "The page is too deep; follow `next_cursor` instead"
        raise ValidationError(msg, field="page", max_offset=MAX_OFFSET)
    return window


def chosen_fields(text: str | None, allowed: Sequence[str]) -> frozenset[str]:
    """Read `fields=a,b`; every field when absent."""
    if text is None:
        return frozenset(allowed)
    chosen = frozenset(text.split(","))
    unknown = sorted(chosen - set(allowed))
    if unknown:
        msg = "There is no such field"
        raise ValidationError(msg, field="fields", unknown=",".join(unknown), allowed=",".join(allowed))
    return chosen


def encode_cursor(key: CursorKey) -> str:
    """Pack a sort key for use in a URL."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).rstrip(b"=").decode()


def decode_cursor(text: str) -> CursorKey | None:
    """Unpack a cursor; an empty one is the beginning."""
    if not text:
        return None
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        key: CursorKey = _CURSOR.decode(raw)
    except (binascii.Error, msgspec.DecodeError, ValueError):
        msg = "The cursor is not one of ours"
        raise ValidationError(msg, field="cursor") from None
    if not 0 <= key[1] < 2**63 or (isinstance(key[0], str) and "\x00" in key[0]):
        msg = "The cursor is not one of ours"
        raise ValidationError(msg, field="cursor")
    return key


def page_of(part: Slice[T], window: Window, url: URL) -> Page[T]:
    """Wrap the rows of a window with counts and links; a page past the end is an input error."""
    cursor = encode_cursor(part.last_key) if part.has_next and part.last_key is not None else None
    if window.page is None or part.total is None:
        following = _at(url, cursor=cursor) if cursor else None
        return Page(
            items=list(part.rows),
            total=None,
            page=None,
            page_size=window.size,
            total_pages=None,
            has_next=part.has_next,
            has_previous=window.after is not None,
            next_cursor=cursor,
            links=Links(self=_at(url), first=_at(url, cursor=""), next=following),
        )
    pages = max(1, math.ceil(part.total / window.size))
    if window.page > pages:
        msg = "The page is past the last one"
        raise ValidationError(msg, field="page", total_pages=pages)
    return Page(
        items=list(part.rows),
        total=part.total,
        page=window.page,
        page_size=window.size,
        total_pages=pages,
        has_next=window.page < pages,
        has_previous=window.page > 1,
        next_cursor=cursor,
        links=_numbered(url, window.page, pages),
    )


def _numbered(url: URL, page: int, pages: int) -> Links:
    return Links(
        self=_at(url, page=str(page)),
        first=_at(url, page="1"),
        prev=_at(url, page=str(page - 1)) if page > 1 else None,
        next=_at(url, page=str(page + 1)) if page < pages else None,
        last=_at(url, page=str(pages)),
    )


def _at(url: URL, **changes: str) -> str:
    # Without the host: the backend need not know the name under which the proxy serves it.
    return (url.update_query(changes) if changes else url).raw_path_qs


def link_header(links: Links) -> str:
    """Write the links as a `Link` field (RFC 8288)."""
    named = (("first", links.first), ("prev", links.prev), ("next", links.next), ("last", links.last))
    return ", ".join(f'<{target}>; rel="{relation}"' for relation, target in named if target is not None)
