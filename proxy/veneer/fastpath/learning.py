"""From a hit that the pipeline served to an answer that can be given again."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple, TypeVar, cast

from veneer.core.entry import Entry
from veneer.core.freshness import freshness
from veneer.core.messages import RequestHead
from veneer.core.rate import RateLimit
from veneer.core.rules import CacheRules
from veneer.core.sharing import has_credentials, shows_all
from veneer.fastpath.hot_entries import HeadTemplate, LimitedTarget, RouteFacts, VariantReply, VariantSelector
from veneer.http1.framing import FramingFacts, framing_of
from veneer.http1.serialise import serialise
from veneer.observe.repeats import RecordTemplate
from veneer.pipeline.context import Exchange, ServedHit
from veneer.policy.model import ClientLifetime, Match, Policy, Route
from veneer.policy.model_rates import RateKeyKind, RateRule

T = TypeVar("T")

_MAX_SHARED = 4096
LEARNT_STATUSES = frozenset({200, 304})
COUNTED_TOGETHER = frozenset({RateKeyKind.CLIENT_IP, RateKeyKind.ROUTE, RateKeyKind.GLOBAL})
"""Rate keys that do not depend on the request's fields."""

OWN_LINES = (
    rb"X-Request-ID: [^\r]*\r\nX-Response-Time: [^\r]*\r\n(?:RateLimit-Policy: [^\r]*\r\nRateLimit: [^\r]*\r\n)?"
)
"""The lines of an answer that are another request's in another one (pipeline.represent)."""

_PIECES = re.compile(
    rb"(.*\r\nAge: )\d+(\r\n.*\r\nCache-Status: [^\r]*; ttl=)\d+\r\n" + OWN_LINES + rb"(.*)", re.DOTALL
)


class HeadPieces(NamedTuple):
    """A hit's head around what differs in each answer: up to the value of Age, from there to that of ttl, the end."""

    head: bytes
    before_ttl: bytes
    suffix: bytes


def may_learn(exchange: Exchange, served: ServedHit) -> bool:
    """Whether the answer depends on nothing but the target and the selector that the fast path looks at."""
    route, entry, asked = exchange.match.route, served.entry, exchange.request.fields.joined
    return (
        "cache-control" not in asked
        and "pragma" not in asked
        and "range" not in asked
        and served.head.status in LEARNT_STATUSES
        and is_alike_for_all(entry, route)
        and exchange.request.method in {"GET", "HEAD"}
        and (
            proves_by_field(exchange)
            if route.cache.shared_by
            else for_all(entry, route.cache) or not has_credentials(asked)
        )
        and depends_on_target(exchange.policy, route)
        and not exchange.match.by_fields
        and not route.audit_share
        and route.client_lifetime is ClientLifetime.AGE
    )


def proves_by_field(exchange: Exchange) -> bool:
    """Whether Authorization alone has proven the scope, so that the fast path can know a request of it."""
    scope, asked = exchange.match.route.cache.scope, exchange.request.fields.joined
    return scope is not None and scope.authorization and not scope.cookies and "cookie" not in asked


def is_alike_for_all(entry: Entry, route: Route) -> bool:
    """Whether the entry is the same for all requests for its target, but for the coding that is made of it here."""
    if entry.status != 200 or entry.span is not None:
        return False
    return not entry.vary or (route.compress.enabled and [name for name, _ in entry.vary] == ["accept-encoding"])


def for_all(entry: Entry, rules: CacheRules) -> bool:
    """Whether an answer from the entry is also for requests with other credentials than those of who had it."""
    if rules.shared_by:
        return False
    return shows_all(rules, guarded=freshness(entry, rules, entry.response_time).terms.guarded)


def depends_on_target(policy: Policy, route: Route) -> bool:
    """Whether a request on the route is treated as any other with its target, its selector and the same fields."""
    return counts_alike(policy, route) and not route.cache.key.headers


def counts_alike(policy: Policy, route: Route) -> bool:
    """Whether all requests of one client address on the route are counted alike, whatever they say."""
    rule = route.rate_limit
    return (rule is None or counts_together(route, rule)) and not policy.trusted_proxies


def counts_together(route: Route, rule: RateRule) -> bool:
    """Whether a route has this limit alone, and a request's fields do not tell by whom it is counted."""
    return rule.key.kind in COUNTED_TOGETHER and not rule.further and not route.further_limits


def limited_target(
    policy: Policy, method: str, match: Match, refused: Callable[[str, str], RecordTemplate]
) -> LimitedTarget | None:
    """What there is to know of a target to refuse its requests; None where more than the target decides.

    `refused` tells what is recorded of every refusal of a method on a route.
    """
    rule = match.route.rate_limit
    plain = method in {"GET", "HEAD"} and not policy.trusted_proxies
    if rule is None or not counts_together(match.route, rule) or match.by_fields or not plain:
        return None
    return LimitedTarget(refused(method, match.route.name), rule.limit, shared_rate_key(match.route))


def shared_rate_key(route: Route) -> str | None:
    """The name under which all requests on a route are counted together (pipeline.admit); None is each client's own."""
    return None if route.rate_limit is None else route.rate_limit.shared_client(route.name)


def target_key(request: RequestHead) -> bytes:
    """Host and target under one name, as `scan.Shape.host` begins it."""
    return f"{request.authority}\n{request.target}".encode("latin-1")


def variant_selector(request: RequestHead) -> VariantSelector:
    """What selects the answer among those to the same target."""
    get = request.fields.get
    return request.method, get("accept-encoding"), get("if-none-match"), get("if-modified-since")


class Interner:
    """Keeps equal values once: much of what is learned is the same for many entries. It remembers so many at most."""

    def __init__(self) -> None:
        self._known: dict[object, object] = {}

    def intern(self, value: T) -> T:
        """The value, or an equal one that came earlier."""
        if len(self._known) >= _MAX_SHARED:
            self._known.clear()
        return cast("T", self._known.setdefault(value, value))

    def split_head(self, head: bytes) -> tuple[bytes, bytes, bytes]:
        """The lines of `head` up to the first that did not come lately, from there to the last such one, and the rest.

        Most heads differ in few lines: the first and the last part are kept once.
        """
        lines = head.splitlines(keepends=True)
        new = [number for number, line in enumerate(lines) if line not in self._known]
        for number in new:
            self.intern(lines[number])
        first, end = (new[0], new[-1] + 1) if new else (len(lines), len(lines))
        prefix, unique_lines, rest = (b"".join(part) for part in (lines[:first], lines[first:end], lines[end:]))
        return self.intern(prefix), unique_lines, self.intern(rest)


def limit_lines(limit: RateLimit) -> bytes:
    """What policy_text and limit_field (core.rate) say of a limit, up to the numbers."""
    return f"RateLimit-Policy: {limit.policy_text}\r\nRateLimit: {limit.quoted_name};r=".encode("ascii")


def build_reply(
    exchange: Exchange,
    served: ServedHit,
    facts: RecordTemplate,
    route_facts: RouteFacts,
    interner: Interner,
    next_variant: VariantReply | None,
) -> VariantReply | None:
    """The answer in pieces; None when its head is not put together as expected, or its body is not at hand.

    `next_variant` is what was learned of the same entry before.
    """
    pieces, body = head_pieces(exchange.request.method, served), reply_body(served)
    if pieces is None or body is None:
        return None
    head, before_ttl, suffix = pieces
    prefix, unique_lines, before_age = interner.split_head(head)
    template = interner.intern(
        HeadTemplate(variant_selector(exchange.request), prefix, before_age, before_ttl, suffix, facts, route_facts)
    )
    return VariantReply(template, unique_lines, body, len(served.entry.body) if served.coding else 0, next_variant)


def head_pieces(method: str, served: ServedHit) -> HeadPieces | None:
    """The head of a hit in pieces; None when it is not put together as expected."""
    wire = FramingFacts(method, (1, 1), keep_alive=True)
    framing = framing_of(wire, served.head.status, served.length)
    pieces = _PIECES.fullmatch(serialise(served.head, wire, framing, served.length))
    return None if pieces is None else HeadPieces(pieces[1], pieces[2], pieces[3])


def reply_body(served: ServedHit) -> bytes | None:
    """The bytes that went with the head; None where the entry does not hold them."""
    if served.coding is None:
        return b""
    if not served.coding:
        return served.entry.body
    kept = served.entry.coded_in(served.coding)
    return None if kept is None else kept.body
