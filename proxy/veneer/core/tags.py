"""The tags that a response gives itself, by which it can be invalidated."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, quote_from_bytes

from veneer.core.fields import Fields
from veneer.core.headers import split_list
from veneer.core.messages import RequestHead
from veneer.core.structured import parse_strings

MAX_TAGS: Final = 256
"""Tags that one response may carry. One with more is not stored: a tag that is forgotten is a write that is missed."""

MAX_TAG_BYTES: Final = 1024

TAG_FIELDS: Final[tuple[str, ...]] = ("surrogate-key", "cache-tag", "cache-groups")
"""Fields in which a response gives itself tags."""

_PLAIN: Final = "-._~!$&'()+;=@/"
_UNQUOTED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" + _PLAIN)


def tag_text(value: str) -> str:
    """A value in the one form in which it enters a tag, whether a path or a row of a table holds it.

    Every byte of its UTF-8 that is neither a letter, a digit nor one of "-._~!$&'()+;=@/" is percent-encoded, so that
    no value can name a tag prefix, a second tag or everything. What stands for bytes that are no UTF-8 (PEP 383) is
    these.
    """
    if _UNQUOTED.issuperset(value):
        return value
    try:
        return tag_text_of_bytes(value.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:  # half a character, as JSON may hold it
        return tag_text_of_bytes(value.encode("utf-8", "surrogatepass"))


def tag_text_of_bytes(value: bytes) -> str:
    """As `tag_text`."""
    return quote_from_bytes(value, _PLAIN)


def tags_of(fields: Fields) -> tuple[str, ...] | None:
    """The tags that the response gives itself: Surrogate-Key (by spaces), Cache-Tag (by commas), Cache-Groups.

    None when they are more, or longer, than can be kept.
    """
    said = fields.joined
    for name in TAG_FIELDS:
        if name in said:
            break
    else:
        return ()
    found: dict[str, None] = {}
    for tag in (fields.get("surrogate-key") or "").split():
        found[tag] = None
    for part in (fields.get("cache-tag") or "").split(","):
        if tag := part.strip():
            found[tag] = None
    for group in groups_of(fields, "cache-groups"):
        found[group] = None
    if len(found) > MAX_TAGS or any(len(tag) > MAX_TAG_BYTES for tag in found):
        return None
    return tuple(found)


_VISIBLE: Final = "".join(map(chr, range(0x21, 0x7F)))


class BadTagError(ValueError):
    """What is to be invalidated is no tag; the text says why, and what would be right."""


def names_of(tag: str) -> tuple[str, ...]:
    """What an invalidation of a tag names that somebody wrote as text; it may end in ":*" or be "*".

    A tag beyond ASCII is known as a field carries it, and as a path parameter's value enters it. Raises BadTagError.
    """
    if not tag or len(tag.encode()) > MAX_TAG_BYTES or not tag.isprintable() or " " in tag or "," in tag:
        msg = f"tag {tag[:80]!r}: a tag has 1 to {MAX_TAG_BYTES} printable characters, no space and no comma"
        raise BadTagError(msg)
    if "*" in tag[:-1] or (tag.endswith("*") and tag != "*" and not tag.endswith(":*")):
        msg = f'tag {tag[:80]!r}: "*" may only stand at the end, after a colon, as in "users:*"'
        raise BadTagError(msg)
    if tag.isascii():
        return (tag,)
    return (tag.encode().decode("latin-1"), quote(tag, safe=_VISIBLE))


def search_tag(request: RequestHead) -> str:
    """The tag of responses that answer several queries of the request's path (No-Vary-Search).

    A write to one of these URIs names it, as it cannot know which others the stored response stands for. Without an
    authority it is that of each: what names a URI of every authority names it so.
    """
    return _search_tag(request.authority, request.path)


def search_tags(request: RequestHead) -> tuple[str, str]:
    """All such tags that a response to the request carries."""
    return _search_tag(request.authority, request.path), _search_tag("", request.path)


def _search_tag(authority: str, path: str) -> str:
    return f"no-vary-search={authority}{path}".replace("%", "%25").replace(":", "%3A")


def groups_of(fields: Fields, name: str) -> list[str]:
    """The groups in Cache-Groups or Cache-Group-Invalidation (RFC 9875 sections 2 and 3).

    A group is a tag here, whatever the authority: everything this proxy stores comes from the backends of one team, and
    one backend under two names must not keep a stale copy under either. A malformed field, which the RFC would have
    ignored, is read as a plain list: invalidating too much is allowed, too little is not.
    """
    value = fields.get(name)
    if value is None:
        return []
    strings = parse_strings(value)
    return strings if strings is not None else [member.strip('"') for member in split_list(value)]
