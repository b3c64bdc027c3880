"""Who may share a response: the one table of what is safe by default, and what a policy's word changes.

A response is shared when another client's request is answered with it: as a stored hit, collapsed with the request
that fetched it, revalidated, stale, or while the origin cannot be reached. Every such way asks `withheld`; none has a
rule of its own. docs/guarantees.md shows the table.
"""

from __future__ import annotations

from collections.abc import Container
from enum import Enum
from typing import Final

from veneer.core.fields import Fields, Pair
from veneer.core.headers import OWS
from veneer.core.outcome import Reason
from veneer.core.rules import CacheRules, CookieRules


class Source(Enum):
    """Where a lifetime comes from."""

    EXPLICIT = "explicit"  # the origin: s-maxage, max-age, Expires or a targeted field
    POLICY = "policy"
    HEURISTIC = "heuristic"
    NONE = "none"


class PrivacySignal(Enum):
    """What is beside a response: in the request that fetched it or wants it, or in the response itself."""

    NONE = "no credentials"
    AUTHORIZATION = "Authorization"
    COOKIE = "Cookie"
    SET_COOKIE = "Set-Cookie"
    PRIVATE = "private"
    NO_CACHE = "no-cache"


class Share(Enum):
    """Whether others may have the response."""

    YES = "shared"
    DECLARED = "where the origin says public, s-maxage or must-revalidate"  # RFC 9111 section 3.5
    BY_POLICY = "only by policy"
    VALIDATED = "after validation"
    NO = "never"


TABLE: Final[dict[Source, dict[PrivacySignal, Share]]] = {
    source: {
        PrivacySignal.NONE: Share.VALIDATED if source is Source.NONE else Share.YES,
        PrivacySignal.AUTHORIZATION: Share.DECLARED if source is Source.EXPLICIT else Share.BY_POLICY,
        PrivacySignal.COOKIE: Share.YES if source is Source.EXPLICIT else Share.BY_POLICY,
        PrivacySignal.SET_COOKIE: Share.BY_POLICY,
        PrivacySignal.PRIVATE: Share.NO,
        PrivacySignal.NO_CACHE: Share.VALIDATED,
    }
    for source in Source
}
"""By whose word it is fresh, and what is beside it. `public` from the origin counts as its word (EXPLICIT)."""

GUARDED: Final = tuple([source for source in Source if TABLE[source][PrivacySignal.COOKIE] is not Share.YES])
"""What nobody but the policy, or nobody at all, declared shareable: not for requests with credentials."""

NO_COOKIES: Final = frozenset[str]()

STATED: Final = (Source.EXPLICIT, Source.POLICY)
"""Freshness that somebody stated: what a route's stale windows, and `stale_on_disconnect`, may extend."""


def withheld(fields: Fields, rules: CacheRules) -> Reason | None:
    """Why what nobody declared shareable is not for a request with `fields`: its credentials; None where it has none.

    It is neither stored from such a request nor given to one. What the policy has in the key, ignores or shares does
    not count.
    """
    asked, keyed = fields.joined, rules.key.headers
    if "authorization" in asked and not shares_authorization(rules) and "authorization" not in keyed:
        return Reason.AUTHORIZATION
    if "cookie" in asked and "cookie" not in keyed and _has_session(fields, rules):
        return Reason.COOKIE
    return None


def shares_authorization(rules: CacheRules) -> bool:
    """Whether answers to requests with Authorization may be stored without a word of the origin (RFC 9111 section 3.5).

    The policy says so, or the field is what has proven the identity that is part of the key.
    """
    return rules.share_authorized or (rules.scope is not None and rules.scope.authorization)


def shows_all(rules: CacheRules, *, guarded: bool) -> bool:
    """Whether every request for a target may have the response, whatever its cookies and its Authorization are."""
    return not guarded and not rules.cookies.passes and not rules.cookies.key


def has_credentials(names: Container[str]) -> bool:
    """Whether a request with fields of these lower-case names has credentials, whatever the policy makes of them."""
    return "cookie" in names or "authorization" in names


def passes(fields: Fields, rules: CacheRules) -> Reason | None:
    """Why the request passes the cache, whatever the origin says; None where it does not.

    One of its cookies says so. Or the route shares by identity, and nothing is proven, or there is another credential
    beside the proof: the backend might go by that one.
    """
    if rules.shared_by:
        unproven = Reason.NO_IDENTITY if rules.scope is None else withheld(fields, rules)
        if unproven is not None:
            return unproven
    cookies = rules.cookies
    if not cookies.passes or "cookie" not in fields.joined:
        return None
    return Reason.COOKIE if any(_meaning(name, cookies) is Meaning.PASSES for name in cookie_names(fields)) else None


class Meaning(Enum):
    """What the policy says that a cookie is."""

    PASSES = "pass"
    KEY = "key"
    IGNORE = "ignore"
    UNKNOWN = "unknown"


def cookie_pairs(fields: Fields) -> list[tuple[str, str]]:
    """Name and value of each cookie in the Cookie lines, as a semicolon separates them (RFC 6265 section 4.2.1)."""
    members = [member.partition("=") for line in fields.lines("cookie") for member in line.split(";")]
    return [(name.strip(OWS), value.strip(OWS)) for name, _, value in members]


def cookie_names(fields: Fields) -> list[str]:
    """The names in the Cookie lines. A comma separates as well: some servers read it so; a name too many is safe."""
    members = [member for line in fields.lines("cookie") for member in line.replace(",", ";").split(";")]
    return [name for member in members if (name := member.partition("=")[0].strip(OWS))]


def keyed_cookies(fields: Fields, rules: CookieRules) -> str | None:
    """The cookies that belong to the key, as they came, sorted by name; None where there are none.

    Some servers read a comma as a separator too. What stands between two semicolons belongs to the key whole where any
    name in it is keyed; which of its cookies counts, where one is there twice, is then for the order to tell.
    """
    if not rules.key or "cookie" not in fields.joined:
        return None
    kept: list[tuple[str, str]] = []
    sortable = True
    for line in fields.lines("cookie"):
        for member in line.split(";"):
            for part in member.split(","):
                name = part.partition("=")[0].strip(OWS)
                if name and _meaning(name, rules) is Meaning.KEY:
                    kept.append((name, member.strip(OWS)))
                    sortable = sortable and "," not in member
                    break
    if sortable:
        kept.sort(key=_name)
    return "; ".join([text for _, text in kept]) if kept else None


def told_cookies(fields: Fields, rules: CookieRules) -> Fields:
    """The fields less the cookies that mean nothing: what tells no responses apart must not reach the backend.

    What stands between two semicolons goes or stays whole, since some servers read a comma as a separator; it goes
    where all its names are ignored, or where it has none. What stays is in the key, or keeps the response from others.
    """
    if not rules or "cookie" not in fields.joined:
        return fields
    pairs: list[Pair] = []
    for name, value in fields.pairs:
        if name.lower() == "cookie":
            members = [member.strip(OWS) for member in value.split(";")]
            kept = [member for member in members if _tells(member, rules)]
            if len(kept) == len(members):
                pairs.append((name, value))
            elif kept:
                pairs.append((name, "; ".join(kept)))
        else:
            pairs.append((name, value))
    return Fields(pairs)


def _tells(member: str, rules: CookieRules) -> bool:
    """Whether any cookie in it is more than ignored."""
    names = [part.partition("=")[0].strip(OWS) for part in member.split(",")]
    return any(name and _meaning(name, rules) is not Meaning.IGNORE for name in names)


def _name(cookie: tuple[str, str]) -> str:
    return cookie[0]


def _has_session(fields: Fields, rules: CacheRules) -> bool:
    """Whether a cookie may tell one user from another: all do of which the policy says nothing else.

    Those do not that have proven the identity in the key.
    """
    proven = NO_COOKIES if rules.scope is None else rules.scope.cookies
    cookies = rules.cookies
    if not cookies and not proven:
        return True
    names = [name for name in cookie_names(fields) if name not in proven]
    return any(_meaning(name, cookies) in (Meaning.PASSES, Meaning.UNKNOWN) for name in names)


def _meaning(name: str, rules: CookieRules) -> Meaning:
    """What the pattern says that fits best: the whole name before a beginning, a longer beginning before a shorter.

    Where two fit alike, pass goes before key, and key before ignore.
    """
    best, found = -1, Meaning.UNKNOWN
    for meaning, patterns in (
        (Meaning.PASSES, rules.passes),
        (Meaning.KEY, rules.key),
        (Meaning.IGNORE, rules.ignored),
    ):
        for pattern in patterns:
            fit = _fit(pattern, name)
            if fit > best:
                best, found = fit, meaning
    return found


def _fit(pattern: str, name: str) -> int:
    """How well a pattern fits: the bytes of the name that it names, one more for all of them; -1 where it does not."""
    if pattern.endswith("*"):
        return len(pattern) - 1 if name.startswith(pattern[:-1]) else -1
    return len(pattern) + 1 if name == pattern else -1
