"""What an exchange makes invalid (RFC 9111 section 4.4, RFC 9875 section 3, and the proxy's own field)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from proxy.core.fields import Fields
from proxy.core.invalidation import Invalidation, Strength
from proxy.core.key import uri
from proxy.core.messages import RequestHead
from proxy.core.percent import folded, normalise_percent
from proxy.core.rules import KeyRules
from proxy.core.tags import groups_of, search_tag
from proxy.core.target import same_origin

MAX_NAMED: Final = 256
"""Tags, URIs or prefixes that one response may invalidate; beyond that everything goes, as none may be lost."""

RulesOf = Callable[[str, str | None], KeyRules | None]
"""The key rules under which GET of a path and query is stored; None where nothing of that target ever is."""

INVALIDATE_FIELD: Final = "x-cache-invalidate"
GROUP_FIELD: Final = "cache-group-invalidation"


def invalidated_by(
    request: RequestHead,
    status: int,
    fields: Fields,
    *,
    rules_of: RulesOf,
    policy_tags: tuple[str, ...] = (),
    counts: bool | None = None,
) -> tuple[Invalidation, ...]:
    """What the response to `request` makes invalid (RFC 9111 section 4.4, RFC 9875 section 3); empty if nothing.

    One event, or two where X-Cache-Invalidate is soft: that is its own word, and nobody else's. The hard one is last.

    An unsafe request with a 2xx or 3xx response invalidates its target URI, the same-origin URIs of Location and
    Content-Location, the groups of Cache-Group-Invalidation and `policy_tags`. `counts` overrides the judgement of
    the status, for a route that says so. X-Cache-Invalidate is obeyed on responses to safe requests as well.
    `rules_of` tells for a path and query the rules under which GET of them is stored; a target of which nothing can be
    stored is not named, so that who invalidates nothing asks nobody. Methods that act on a whole tree (RFC 4918
    sections 9.6, 9.8 and 9.9) invalidate what lies below, and at their Destination.
    """
    success = 200 <= status < 400 if counts is None else counts
    if not success:
        return ()
    named = _named(fields.get(INVALIDATE_FIELD))
    if request.is_safe:
        return (named,) if named else ()
    if named.strength is Strength.SOFT:
        soft, named = (named,) if named else (), Invalidation()
    else:
        soft = ()
    uris: tuple[str, ...] = ()
    searched: tuple[str, ...] = ()
    below: tuple[str, ...] = (_below(request),) if request.method in _ACTS_BELOW else ()
    for changed in _changed(request, fields):
        rules = rules_of(changed.path, changed.query)
        if rules is not None:
            uris += _own_uris(changed, rules)
            searched += _searched(changed)
    moved = _at(request, request.fields.get("destination")) if request.method in _HAS_DESTINATION else None
    if moved is not None:
        rules = rules_of(moved.path, moved.query)
        uris += () if rules is None else _own_uris(moved, rules)
        below += (_below(moved),)
    tags = (*named.tags, *policy_tags, *groups_of(fields, GROUP_FIELD), *searched)
    if len(tags) > MAX_NAMED:
        return (Invalidation(everything=True),)
    hard = replace(
        named,
        tags=_distinct(tags),
        uris=_distinct((*named.uris, *uris)),
        uri_prefixes=_distinct((*named.uri_prefixes, *below)),
    )
    return (*soft, hard) if hard else soft


_ACTS_BELOW: Final = frozenset({"DELETE", "MOVE"})
_HAS_DESTINATION: Final = frozenset({"COPY", "MOVE"})


def _changed(request: RequestHead, fields: Fields) -> list[RequestHead]:
    """The request itself, and the same for the targets in Location and Content-Location."""
    named = (_at(request, fields.get("location")), _at(request, fields.get("content-location")))
    return [request, *(other for other in named if other is not None)]


def _at(request: RequestHead, reference: str | None) -> RequestHead | None:
    """The request for the target that a reference of the same origin names."""
    target = None if reference is None else same_origin(request, reference)
    if target is None:
        return None
    path, question, query = target.partition("?")
    return replace(request, path=path, query=query if question else None)


def _below(request: RequestHead) -> str:
    """The prefix of all that lies below the request's path; what is no collection has nothing there."""
    return f"{request.authority}{folded(request.path).rstrip('/')}/"


def in_doubt(status: int, fields: Fields) -> bool:
    """Whether the backend may still be carrying out the unsafe request that it answered so.

    502 and 504 come from an intermediate that gave up waiting for whoever does the work (RFC 9110 sections 15.6.3 and
    15.6.5), and so may 503 (15.6.4), unless it says when to try again: then somebody has decided not to do it now.
    """
    return status in (502, 504) or (status == 503 and "retry-after" not in fields)


def _own_uris(request: RequestHead, key_rules: KeyRules) -> tuple[str, ...]:
    """The URI as keyed, as it came, and without its query: rules of another route may have dropped parameters."""
    plain = KeyRules()
    return (uri(request, key_rules), uri(request, plain), request.authority + folded(request.path))


def _searched(request: RequestHead) -> tuple[str, ...]:
    """The tag of what is stored for several queries of this path, if the URI has one."""
    return () if request.query is None else (search_tag(request),)


def _named(value: str | None) -> Invalidation:
    """X-Cache-Invalidate: members separated by commas or spaces.

    "users:42" is a tag, "users:*" a tag and all below it, "/path?query" a URI, "/path/*" a URI prefix, "*" everything;
    the member ";soft" makes soft what the field names.
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
        uris=_distinct(filed(path) for path in paths if not path.endswith("*")),
        uri_prefixes=_distinct(filed(path[:-1]) for path in paths if path.endswith("*")),
        everything="*" in members,
        strength=Strength.SOFT if soft else Strength.HARD,
    )


def filed(target: str) -> str:
    """A target as `core.key.uri` writes it."""
    path, question, query = normalise_percent(target).partition("?")
    return folded(path) + question + query


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
