"""What an invalidation names, and what a stored response answers to.

An invalidation is an event in a log; entries are checked against the log, never looked up from it. Both sides speak
in *subjects*, short strings: "t:user:42" a tag, "t:user:*" a tag prefix, "u:<uri>" a URI, "p:<uri prefix>", "*".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

from proxy.core.entry import Entry
from proxy.core.fields import Fields
from proxy.core.key import uri
from proxy.core.messages import RequestHead
from proxy.core.percent import normalise_percent
from proxy.core.rules import KeyRules
from proxy.core.structured import parse_strings
from proxy.core.target import same_origin


class Strength(Enum):
    """Hard: the response must not be used again. Soft: it is stale, so the stale-* windows still apply."""

    HARD = "hard"
    SOFT = "soft"


class Validity(Enum):
    """What the log says of an entry."""

    VALID = "valid"
    SOFT = "soft"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Invalidation:
    """One event: the subjects it names. `tags` may end in ":*" (the tag itself and all below it) or be "*".

    `uris` and `uri_prefixes` are either "authority/path?query" or, beginning with "/", valid for every authority.
    """

    tags: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    uri_prefixes: tuple[str, ...] = ()
    everything: bool = False
    strength: Strength = Strength.HARD

    def __bool__(self) -> bool:
        return bool(self.tags or self.uris or self.uri_prefixes or self.everything)


MAX_TAGS = 64
"""Tags that one response may carry; a response with more is not an error, but the rest do not count."""

MAX_TAG_OCTETS = 256
MAX_NAMED = 256
"""Tags, URIs or prefixes that one response may invalidate; beyond that everything goes, as none may be lost."""

TAG_FIELDS = ("surrogate-key", "cache-tag", "cache-groups")
INVALIDATE_FIELD = "x-cache-invalidate"
GROUP_FIELD = "cache-group-invalidation"

EVERYTHING = "*"


# ---------------------------------------------------------------- subjects


def subjects_of(entry: Entry) -> tuple[str, ...]:
    """Every subject that kills `entry` (docs/architecture.md, "The invalidation log")."""
    found: dict[str, None] = {EVERYTHING: None}
    for tag in entry.tags:
        found[f"t:{tag}"] = None
        found[f"t:{tag}:*"] = None
        end = tag.rfind(":")
        while end != -1:
            found[f"t:{tag[:end]}:*"] = None
            end = tag.rfind(":", 0, end)
    slash = entry.uri.find("/")
    for name in (entry.uri, entry.uri[slash:]) if slash > 0 else (entry.uri,):
        found[f"u:{name}"] = None
        for prefix in uri_prefixes(name):
            found[f"p:{prefix}"] = None
    return tuple(found)


def uri_prefixes(uri_text: str) -> list[str]:
    """The prefixes by which a URI can be named: up to and including each "/" of its path.

    Prefixes end at segment borders, so that an entry has few of them; `subject_prefix` brings others to that form.
    """
    path = uri_text.partition("?")[0]
    return [path[: at + 1] for at, char in enumerate(path) if char == "/"]


def subjects_named(invalidation: Invalidation) -> tuple[str, ...]:
    """The subjects that the event puts into the log."""
    found: dict[str, None] = {}
    if invalidation.everything:
        found[EVERYTHING] = None
    for tag in invalidation.tags:
        found[EVERYTHING if tag == "*" else f"t:{tag}"] = None
    for name in invalidation.uris:
        found[f"u:{name}"] = None
    for prefix in invalidation.uri_prefixes:
        found[f"p:{subject_prefix(prefix)}"] = None
    return tuple(found)


def subject_prefix(prefix: str) -> str:
    """The prefix as entries answer to it: without query, cut back to its last "/".

    "/users/4" could mean "/users/42": it is taken as "/users/", which covers both. Too much goes, never too little.
    """
    path = prefix.partition("?")[0]
    return path[: path.rfind("/") + 1] if "/" in path else path + "/"


# ---------------------------------------------------------------- tags of a response


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


# ---------------------------------------------------------------- what an exchange invalidates


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
    for name in ("location", "content-location"):
        reference = fields.get(name)
        target = None if reference is None else same_origin(request, reference)
        if target is not None:
            path, question, query = target.partition("?")
            other = replace(request, path=path, query=query if question else None)
            uris += _own_uris(other, key_rules)
    groups = fields.get(GROUP_FIELD)
    group_names = (parse_strings(groups) if groups is not None else None) or []
    tags = (*named.tags, *policy_tags, *(group_tag(request, group) for group in group_names))
    if len(tags) > MAX_NAMED:
        return Invalidation(everything=True)
    return replace(named, tags=_distinct(tags), uris=_distinct((*named.uris, *uris)))


def _own_uris(request: RequestHead, key_rules: KeyRules) -> tuple[str, ...]:
    """The URI as keyed, as it came, and without its query: rules of another route may have dropped parameters."""
    plain = KeyRules()
    return (uri(request, key_rules), uri(request, plain), request.authority + request.path)


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
