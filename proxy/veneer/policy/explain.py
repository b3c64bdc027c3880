"""One request through the policy without sending it: which route, which key, stored or not, and for how long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from veneer.core.cache_control import governing_directives
from veneer.core.entry import Entry, Position
from veneer.core.fields import Fields, Pair
from veneer.core.freshness import Freshness, freshness, route_ttl
from veneer.core.identity import Proof, Proofs, for_templates, known_at, scope_of, within
from veneer.core.key import cache_key
from veneer.core.messages import DEFAULT_AUTHORITY, RequestHead, ResponseHead
from veneer.core.outcome import Reason
from veneer.core.rules import CacheRules, OriginRule
from veneer.core.sharing import Source, told_cookies
from veneer.core.storability import NotStorable, Storable, judge
from veneer.core.tags import tags_of
from veneer.core.target import TargetRefusal
from veneer.policy.model import Match, Policy
from veneer.policy.units import format_duration

_NOW = 1_700_000_000.0  # any moment does: nothing here depends on which
_DIGEST = "content"


class BadTargetError(ValueError):
    """A target that the proxy would refuse with 400."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What would become of a request and its response.

    `standing` is how the stored response would stand at once, None when it would not be stored. `tags` and
    `invalidates` are those of the policy; `own_tags` those the response gives itself.
    """

    request: RequestHead
    match: Match
    key: str
    verdict: Storable | NotStorable
    standing: Freshness | None
    tags: tuple[str, ...]
    own_tags: tuple[str, ...]
    invalidates: tuple[str, ...]

    @property
    def ttl_s(self) -> float | None:
        """Seconds for which it would be served without asking again; None when it would not be stored."""
        if self.standing is None:
            return None
        return 0.0 if self.standing.terms.must_validate else max(0.0, self.standing.ttl_s)


def whose_lifetime(found: Explanation, status: int) -> str | None:
    """Who says how long the response is fresh, and whose word does nothing beside it; None for what is not stored."""
    if isinstance(found.verdict, NotStorable):
        return None
    rules, source = found.match.route.cache, found.verdict.lifetime.source
    said = _said_by_origin(found.verdict, rules)
    if source is Source.EXPLICIT:
        if (ttl_s := route_ttl(rules, status)) is None:
            return f"the backend's {said}"
        ttl = format_duration(ttl_s)
        return f"the backend's {said}; the route's ttl of {ttl} does nothing beside it (`origin: respect`)"
    if source is Source.POLICY and rules.origin is OriginRule.OVERRIDE:
        return "the route's ttl (`origin: override`)" + (f"; the backend's {said} does nothing" if said else "")
    return {
        Source.POLICY: "the route's ttl, for the response has no s-maxage, max-age or Expires, which would count",
        Source.HEURISTIC: "a guess from Last-Modified",
    }.get(source, "nobody's")


def _said_by_origin(verdict: Storable, rules: CacheRules) -> str:
    """What of the response tells its lifetime, by name; empty where nothing does."""
    directives = governing_directives(verdict.fields, rules.targeted_fields)
    if directives.s_maxage_s is not None:
        return "s-maxage"
    if directives.max_age_s is not None:
        return "max-age"
    return "Expires" if "expires" in verdict.fields and not directives.targeted else ""


def request_head(
    policy: Policy, method: str, target: str, headers: Iterable[Pair], authority: str = DEFAULT_AUTHORITY
) -> RequestHead:
    """The request as the pipeline would see it. Raises BadTargetError."""
    found = policy.read_target(target, [authority], method=method)
    if isinstance(found, TargetRefusal):
        msg = f'"{target}" would be refused: {found.reason.value}'
        raise BadTargetError(msg)
    return RequestHead(method, found.path, found.query, found.authority, Fields(headers), found.scheme)


def asserted(identity: Mapping[str, str]) -> Proofs:
    """As if a request proved these values, by Authorization."""
    values = tuple((name, "s:" + value) for name, value in identity.items())
    return (Proof(values, "", authorization=True),) if values else ()


def explain(
    policy: Policy, request: RequestHead, response: ResponseHead, proofs: Proofs = (), now: float = _NOW
) -> Explanation:
    """Ask the core what it would decide; the response comes at once and without a body.

    `proofs` are what the request proves at `now`, in seconds since the epoch.
    """
    match = _proving(policy.match_of(request), proofs, now)
    rules = match.route.cache
    if match.route.post_as_query and request.method == "POST":
        request = replace(request, method="QUERY")
    request = request.with_fields(match.route.request.apply(request.fields))
    if rules.enabled:
        request = request.with_fields(told_cookies(request.fields, rules.cookies))
    digest = _DIGEST if request.method == "QUERY" else None
    verdict: Storable | NotStorable = NotStorable(Reason.CACHE_OFF)
    own_tags = tags_of(response.fields)
    if own_tags is None:
        verdict = NotStorable(Reason.TOO_MANY_TAGS)
    elif rules.enabled:
        verdict = judge(request, response, rules, _NOW, _NOW, body_digest=digest)
    standing = None
    if isinstance(verdict, Storable):
        entry = Entry(response.status, "", verdict.fields, b"", _NOW, _NOW, request.target, Position("", 0))
        standing = freshness(entry, rules, _NOW)
    return Explanation(
        request=request,
        match=match,
        key=cache_key(request, rules, body_digest=digest),
        verdict=verdict,
        standing=standing,
        tags=_tags(match),
        own_tags=own_tags or (),
        invalidates=() if request.is_safe else match.invalidates,
    )


def _tags(match: Match) -> tuple[str, ...]:
    """The tags, less those with an identity that is not proven: what has them is not stored then."""
    params = match.params
    return tuple([one.fill(params) for one in match.route.tag_templates if params.keys() >= set(one.names)])


def _proving(match: Match, proofs: Proofs, now: float) -> Match:
    """The match as it is for who proves this."""
    scope = scope_of(proofs, match.route.cache.shared_by, now)
    own = match.route if scope is None else replace(match.route, cache=within(match.route.cache, scope))
    return match.under(own, for_templates(known_at(proofs, now)))
