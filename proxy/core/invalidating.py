"""What an exchange makes invalid (RFC 9111 section 4.4, RFC 9875 section 3, and the proxy's own field)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from proxy.core.fields import Fields
from proxy.core.invalidation import Invalidation, Strength
from proxy.core.key import uri
from proxy.core.messages import RequestHead
from proxy.core.percent import normalise_percent
from proxy.core.rules import KeyRules
from proxy.core.tags import groups_of, search_tag
from proxy.core.target import same_origin

MAX_NAMED: Final = 256
"""Tags, URIs or prefixes that one response may invalidate; beyond that everything goes, as none may be lost."""

INVALIDATE_FIELD: Final = "x-cache-invalidate"
GROUP_FIELD: Final = "cache-group-invalidation"


def invalidated_by(
    request: RequestHead,
    status: int,
    fields: Fields,
    *,
    key_rules: KeyRules,
    policy_tags: tuple[str, ...] = (),
    counts: bool | None = None,
) -> Invalidation:
    """What the response to `request` makes invalid (RFC 9111 section 4.4, RFC 9875 section 3); empty if nothing.

    An unsafe request with a 2xx or 3xx response invalidates its target URI, the same-origin URIs of Location and
    Content-Location, the groups of Cache-Group-Invalidation and `policy_tags`. `counts` overrides the judgement of
    the status, for a route that says so. X-Cache-Invalidate is obeyed on responses to safe requests as well.
    `key_rules` are those under which GET of the same path is stored.
    """
    success = 200 <= status < 400 if counts is None else counts
    if not success:
        return Invalidation()
    named = _named(fields.get(INVALIDATE_FIELD))
    if request.is_safe:
        return named
    uris = _own_uris(request, key_rules)
    searched = _searched(request)
    for name in ("location", "content-location"):
        reference = fields.get(name)
        target = None if reference is None else same_origin(request, reference)
        if target is not None:
            path, question, query = target.partition("?")
            other = replace(request, path=path, query=query if question else None)
            uris += _own_uris(other, key_rules)
            searched += _searched(other)
    tags = (*named.tags, *policy_tags, *groups_of(fields, GROUP_FIELD), *searched)
    if len(tags) > MAX_NAMED:
        return Invalidation(everything=True)
    return replace(named, tags=_distinct(tags), uris=_distinct((*named.uris, *uris)))


def _own_uris(request: RequestHead, key_rules: KeyRules) -> tuple[str, ...]:
    """The URI as keyed, as it came, and without its query: rules of another route may have dropped parameters."""
    plain = KeyRules()
    return (uri(request, key_rules), uri(request, plain), request.authority + request.path)


def _searched(request: RequestHead) -> tuple[str, ...]:
    """The tag of what is stored for several queries of this path, if the URI has one."""
    return () if request.query is None else (search_tag(request),)


def _named(value: str | None) -> Invalidation:
    """X-Cache-Invalidate: members separated by commas or spaces.

    "users:42" is a tag, "users:*" a tag and all below it, "/path?query" a URI, "/path/*" a URI prefix, "*" everything;
    the member ";soft" makes the whole event soft.
    """
    if not value:
        return Invalidation()
    members = [member for part in value.split(",") for member in part.split()]
    if len(members) > MAX_NAMED:
        return Invalidation(everything=True)
    soft = ";soft" in members
    paths = [member for member in members if member.startswith("/")]
    tags = [member for member in members if not member.startswith(("/", ";")) and member != "*"]
    return Invalidation(
        tags=_distinct(tags),
        uris=_distinct(normalise_percent(path) for path in paths if not path.endswith("*")),
        uri_prefixes=_distinct(normalise_percent(path[:-1]) for path in paths if path.endswith("*")),
        everything="*" in members,
        strength=Strength.SOFT if soft else Strength.HARD,
    )


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
