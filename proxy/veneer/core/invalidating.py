"""What an exchange makes invalid (RFC 9111 section 4.4, RFC 9875 section 3, and the proxy's own field)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from mypy_extensions import mypyc_attr

from veneer.core.fields import Fields
from veneer.core.invalidation import Invalidation, InvalidationMode
from veneer.core.key import uri
from veneer.core.messages import RequestHead
from veneer.core.origins import same_origin
from veneer.core.percent import folded, normalise_percent
from veneer.core.rules import KeyRules
from veneer.core.tags import groups_of, search_tag

MAX_NAMED: Final = 256
"""Tags, URIs or prefixes that one response may invalidate; beyond that everything goes, as none may be lost."""

RulesOf = Callable[[str, str | None], KeyRules | None]
"""The key rules under which GET of a path and query is stored; None where nothing of that target ever is."""


@mypyc_attr(acyclic=True)
class Targets:
    """What the policy says of targets.

    `stored_as` tells how GET of a path and query is keyed where it has to be named because the request was made or its
    response says so in fields of HTTP; a target of which nothing can be stored is not named, so that who invalidates
    nothing asks nobody. `keyed_as` tells it of what is named outright. `backend` is the URL of whoever answered.
    """

    __slots__ = ("backend", "keyed_as", "stored_as")

    def __init__(self, stored_as: RulesOf, keyed_as: Callable[[str, str | None], KeyRules], backend: str = "") -> None:
        self.stored_as: Final = stored_as
        self.keyed_as: Final = keyed_as
        self.backend: Final = backend


INVALIDATE_FIELD: Final = "x-cache-invalidate"
GROUP_FIELD: Final = "cache-group-invalidation"
NAMING_FIELDS: Final = frozenset({INVALIDATE_FIELD, GROUP_FIELD, "location", "content-location"})
"""The fields of a response that `invalidated_by` reads: without any, all that counts is whether it is a success."""


def invalidated_by(
    request: RequestHead,
    status: int,
    fields: Fields,
    *,
    targets: Targets,
    policy_tags: tuple[str, ...] = (),
    counts: bool | None = None,
) -> tuple[Invalidation, ...]:
    """What the response to `request` makes invalid (RFC 9111 section 4.4, RFC 9875 section 3); empty if nothing.

    One event, or two where X-Cache-Invalidate is soft: that is its own word, and nobody else's. The hard one is last.

    An unsafe request with a 2xx or 3xx response invalidates its target URI, the same-origin URIs of Location and
    Content-Location, the groups of Cache-Group-Invalidation and `policy_tags`. `counts` overrides the judgement of
    the status, for a route that says so. X-Cache-Invalidate is obeyed on responses to safe requests as well.
    Methods that act on a whole tree (RFC 4918 sections 9.6, 9.8 and 9.9) invalidate what lies below, and at their
    Destination.
    """
    success = 200 <= status < 400 if counts is None else counts
    if not success:
        return ()
    named = _named(fields.get(INVALIDATE_FIELD), targets)
    if request.is_safe:
        return (named,) if named else ()
    if named.strength is _SOFT:
        soft, named = (named,) if named else (), _NOTHING
    else:
        soft = ()
    uris: tuple[str, ...] = ()
    searched: tuple[str, ...] = ()
    below: tuple[str, ...] = (_below(request),) if request.method in _ACTS_BELOW else ()
    moved = _at(request, request.fields.get("destination"), targets) if request.method in _HAS_DESTINATION else []
    for changed in (*_changed(request, fields, targets), *moved):
        rules = targets.stored_as(changed.path, changed.query)
        if rules is not None:
            uris += uris_of(changed, rules)
            searched += searched_of(changed)
    below += tuple([_below(arrived) for arrived in moved])
    tags = (*named.tags, *policy_tags, *groups_of(fields, GROUP_FIELD))
    if len(tags) > MAX_NAMED + len(named.uris):  # each URI may have brought a tag
        return (Invalidation(everything=True),)
    hard = Invalidation(
        _distinct((*tags, *searched)),
        _distinct((*named.uris, *uris)),
        _distinct((*named.uri_prefixes, *below)),
        named.everything,
        named.strength,
    )
    return (*soft, hard) if hard else soft


_SOFT: Final = InvalidationMode.SOFT  # to look a member of an Enum up runs Python
_NOTHING: Final = Invalidation()
_ACTS_BELOW: Final = frozenset({"DELETE", "MOVE"})
_HAS_DESTINATION: Final = frozenset({"COPY", "MOVE"})


def _changed(request: RequestHead, fields: Fields, targets: Targets) -> list[RequestHead]:
    """The request itself, and the same for the targets in Location and Content-Location."""
    located, described = fields.get("location"), fields.get("content-location")
    return [request, *_at(request, located, targets), *_at(request, described, targets)]


def _at(request: RequestHead, reference: str | None, targets: Targets) -> list[RequestHead]:
    """The request for each target that a reference of the same origin may mean."""
    if reference is None:
        return []
    return [_for(request, target) for target in same_origin(request, reference, targets.backend)]


def _for(request: RequestHead, target: str) -> RequestHead:
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


def uris_of(request: RequestHead, key_rules: KeyRules) -> tuple[str, ...]:
    """The URI as keyed, on every route that may have it, as it came, and without its query.

    Rules of another route may have dropped parameters.

    Without an authority it is that of each. What answers several queries is found by `core.tags.search_tag` besides.
    """
    plain = KeyRules()
    others = tuple([uri(request, other) for other in key_rules.beside])
    return (uri(request, key_rules), *others, uri(request, plain), request.authority + folded(request.path))


def searched_of(request: RequestHead) -> tuple[str, ...]:
    """The tag of what is stored for several queries of this path, if the URI has one."""
    return () if request.query is None else (search_tag(request),)


def _named(value: str | None, targets: Targets) -> Invalidation:
    """X-Cache-Invalidate: members separated by commas or spaces.

    "users:42" is a tag, "users:*" a tag and all below it, "/path?query" a URI, "/path/*" a URI prefix, "*" everything;
    the member ";soft" makes soft what the field names.
    """
    if not value:
        return _NOTHING
    members = [member for part in value.split(",") for member in part.split()]
    if len(members) > MAX_NAMED:
        return Invalidation(everything=True)
    soft = ";soft" in members
    paths = [member for member in members if member.startswith("/")]
    tags = [member for member in members if not member.startswith(("/", ";")) and member != "*"]
    uris: list[str] = []
    for path in paths:
        if not path.endswith("*"):
            wanted = _for(_ANYWHERE, normalise_percent(path))
            uris += uris_of(wanted, targets.keyed_as(wanted.path, wanted.query))
            tags += searched_of(wanted)
    return Invalidation(
        tags=_distinct(tags),
        uris=_distinct(uris),
        uri_prefixes=_distinct(filed(path[:-1]) for path in paths if path.endswith("*")),
        everything="*" in members,
        strength=InvalidationMode.SOFT if soft else InvalidationMode.HARD,
    )


_ANYWHERE: Final = RequestHead("GET", "/", None, "", Fields())


def filed(target: str) -> str:
    """A target as `core.key.uri` writes it."""
    path, question, query = normalise_percent(target).partition("?")
    return folded(path) + question + query


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
