"""How requests of one shape go to the backend of one route."""

from __future__ import annotations

from proxy.app.lane.learning import COUNTED_TOGETHER, counted_as, limit_lines
from proxy.app.lane.pattern import Values
from proxy.app.lane.replies import Replies
from proxy.app.lane.scan import Shape
from proxy.core.fields import Fields
from proxy.core.forwarding import NEVER_FROM_STRANGERS
from proxy.core.key import cache_key
from proxy.core.messages import RequestHead
from proxy.core.rate import RateLimit
from proxy.core.reuse import Miss, decide
from proxy.core.vary import Variant
from proxy.pipeline.context import Exchange, Services, as_cached
from proxy.pipeline.plan import Looked, plan_of
from proxy.policy.model import Policy, Route
from proxy.ports import Upstream

REQUEST_ID = -1
"""The place of the request ID among the values of a request."""


class HeadTemplate:
    """The head of a request as it goes to the backend: `texts` with the values at `places` between."""

    __slots__ = ("places", "texts")

    def __init__(self, texts: list[bytes], places: list[int]) -> None:
        self.texts = texts
        self.places = places

    def head(self, target: bytes, values: Values, request_id: bytes) -> bytes:
        """The head of a request for `target` (as it is forwarded) with these values."""
        texts = self.texts
        pieces = [texts[0]]
        for number, place in enumerate(self.places, 1):
            if place == REQUEST_ID:
                pieces.append(request_id)
            elif place:
                pieces.append(values[place].strip())
            else:
                pieces.append(target)
            pieces.append(texts[number])
        return b"".join(pieces)


class Way:
    """What does not change from one request to the next, of one shape, route and client address.

    `fields` are those of the request as the cache sees it, without the values that change: it is only good for what
    does not look at them. `coalesces` tells whether others may wait for the response.
    """

    __slots__ = (
        "authority",
        "coalesces",
        "counted_as",
        "decision",
        "fields",
        "limit",
        "limit_lines",
        "read_timeout_s",
        "replies",
        "route",
        "scheme",
        "shape",
        "template",
        "upstream",
    )

    def __init__(
        self,
        shape: Shape,
        wanted: RequestHead,
        route: Route,
        decision: Miss,
        upstream: Upstream,
        template: HeadTemplate,
        *,
        coalesces: bool,
    ) -> None:
        rule = route.rate_limit
        self.shape = shape
        self.route = route
        self.authority = wanted.authority
        self.scheme = wanted.scheme
        self.fields = blanked(wanted.fields, shape)
        self.decision = decision
        self.upstream = upstream
        self.template = template
        self.coalesces = coalesces
        self.read_timeout_s = route.read_timeout_s
        self.limit: RateLimit | None = None if rule is None else rule.limit
        self.limit_lines = b"" if rule is None else limit_lines(rule.limit)
        self.counted_as = counted_as(route)
        self.replies = Replies()

    def tells(self, vary: Variant) -> bool:
        """Whether `fields` hold the values by which a response varies."""
        return not any(name == "x-request-id" or name in self.shape.changing for name, _ in vary)

    def wanted(self, path: str, query: str | None) -> RequestHead:
        """The request as the cache sees it, as far as `fields` go."""
        return RequestHead("GET", path, query, self.authority, self.fields, self.scheme)


def blanked(fields: Fields, shape: Shape) -> Fields:
    """The fields with nothing in place of the values that change from request to request."""
    changing = frozenset(shape.changing)
    return Fields([(name, "" if name.lower() in changing else value) for name, value in fields.pairs])


def may_lead(policy: Policy, route: Route) -> bool:
    """Whether a miss on the route depends on nothing but the target and what is fixed in a shape."""
    rule = route.rate_limit
    return (
        not policy.trusted_proxies
        and not route.cache.key.headers
        and not route.show_key
        and (rule is None or rule.key.kind in COUNTED_TOGETHER)
    )


def way_of(services: Services, exchange: Exchange, shape: Shape, values: Values) -> Way | None:
    """The way of a request, found by sending one through the pipeline's functions; None where it needs the pipeline."""
    route, now = exchange.route, services.clock.now()
    wanted = as_cached(exchange)
    decision = decide(wanted, (), route.cache, now)
    if not may_lead(exchange.policy, route) or not isinstance(decision, Miss):
        return None
    plan = plan_of(exchange, Looked(wanted, cache_key(wanted, route.cache)), decision, services.via)
    upstream = services.upstreams[route.upstream]
    octets = upstream.head_octets(plan.outgoing)
    found = _taken_apart(octets, plan.outgoing.target, exchange.request_id, shape, values)
    if found is None:
        return None
    return Way(shape, wanted, route, decision, upstream, found, coalesces=plan.coalesce)


def _taken_apart(octets: bytes, target: str, request_id: str, shape: Shape, values: Values) -> HeadTemplate | None:
    """What a head that was made for these values has in common with others; None where that is not clear."""
    first, *lines = octets.splitlines(keepends=True)
    method, _, rest = first.partition(b" ")
    sent_target, _, version = rest.partition(b" ")
    own = target.encode("latin-1")
    if not sent_target.endswith(own):
        return None
    texts = [method + b" " + sent_target[: len(sent_target) - len(own)], b" " + version]
    places = [0]
    for line in lines:
        name, _, value = line.partition(b": ")
        lower = name.decode("latin-1").lower()
        place = _place_of(lower, shape)
        if place is None:
            texts[-1] += line
            continue
        expected = request_id.encode("latin-1") if place == REQUEST_ID else values[place].strip()
        if value != expected + b"\r\n" or place in places:
            return None
        places.append(place)
        texts[-1] += name + b": "
        texts.append(b"\r\n")
    return HeadTemplate(texts, places)


def _place_of(name: str, shape: Shape) -> int | None:
    """Which value stands in the line of this name; None where the line is the same for all."""
    if name == "x-request-id":
        return REQUEST_ID
    # What strangers say of hops is dropped: a line of such a name is the proxy's own.
    if name in shape.changing and name not in NEVER_FROM_STRANGERS:
        return shape.changing.index(name) + 1
    return None
