"""The tags that a response gives itself, by which it can be invalidated."""

from __future__ import annotations

from proxy.core.fields import Fields
from proxy.core.messages import RequestHead
from proxy.core.structured import parse_strings

MAX_TAGS = 64
"""Tags that one response may carry; a response with more is not an error, but the rest do not count."""

MAX_TAG_OCTETS = 256


def tags_of(request: RequestHead, fields: Fields) -> tuple[str, ...]:
    """The tags that the response gives itself: Surrogate-Key (by spaces), Cache-Tag (by commas), Cache-Groups.

    Groups are tags of the response's own origin (RFC 9875 section 2), see `group_tag`. At most `MAX_TAGS`.
    """
    found: dict[str, None] = {}
    for tag in (fields.get("surrogate-key") or "").split():
        found[tag] = None
    for part in (fields.get("cache-tag") or "").split(","):
        if tag := part.strip():
            found[tag] = None
    groups = fields.get("cache-groups")
    for group in (parse_strings(groups) if groups is not None else None) or ():
        found[group_tag(request, group)] = None
    return tuple(tag for tag in list(found)[:MAX_TAGS] if len(tag) <= MAX_TAG_OCTETS)


def group_tag(request: RequestHead, group: str) -> str:
    """The tag that stands for a cache group: it names the origin, so that no other origin can reach it."""
    origin = f"{request.scheme}://{request.authority}".replace("%", "%25").replace(":", "%3A")
    return f"group:{origin}:" + group.replace("%", "%25").replace(":", "%3A").replace("*", "%2A")
