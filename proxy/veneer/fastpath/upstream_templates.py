"""How requests of one shape go to the backend of one route."""

from __future__ import annotations

from collections.abc import Iterable

from veneer.core.fields import Fields
from veneer.core.forwarding import NEVER_FROM_STRANGERS, passed_before
from veneer.core.key import cache_key, key_frame
from veneer.core.messages import RequestHead
from veneer.core.rate import RateLimit
from veneer.core.reuse import Miss, decide
from veneer.fastpath.learning import depends_on_target, limit_lines, shared_rate_key
from veneer.fastpath.pattern import Template, Values
from veneer.fastpath.replies import ResponseTemplates
from veneer.fastpath.scan import HeadShape
from veneer.pipeline.context import Exchange, Services, cache_request
from veneer.pipeline.plan import CacheLookup, plan_of
from veneer.policy.model import Policy, Route
from veneer.ports import Upstream


class UpstreamTemplate:
    """What does not change from one request to the next, of one shape, route and client address.

    `fields` are those of the request as the cache sees it, without the values that change: it is only good for what
    does not look at them. `coalesces` tells whether others may wait for the response; `key_frame` is
    that of their cache keys.
    """

    __slots__ = (
        "_blank_names",
        "_template",
        "authority",
        "coalesces",
        "decision",
        "fields",
        "key_frame",
        "limit",
        "limit_lines",
        "read_timeout_s",
        "replies",
        "route",
        "scheme",
        "shape",
        "shared_rate_key",
        "upstream",
    )

    def __init__(
        self,
        shape: HeadShape,
        wanted: RequestHead,
        route: Route,
        decision: Miss,
        upstream: Upstream,
        template: Template,
        *,
        coalesces: bool,
    ) -> None:
        rule = route.rate_limit
        self.shape = shape
        self.route = route
        self.authority = wanted.authority
        self.scheme = wanted.scheme
        self._blank_names = frozenset({*shape.changing, "x-request-id"})
        self.fields = with_blank_values(wanted.fields, shape)
        self.key_frame = key_frame(self.wanted("", None), route.cache)
        self.decision = decision
        self.upstream = upstream
        self._template = template
        self.coalesces = coalesces
        self.read_timeout_s = route.read_timeout_s
        self.limit: RateLimit | None = None if rule is None else rule.limit
        self.limit_lines = b"" if rule is None else limit_lines(rule.limit)
        self.shared_rate_key = shared_rate_key(route)
        self.replies = ResponseTemplates(route.compress.coding)

    def head(self, values: Values, request_id: bytes) -> bytes:
        """The head of a request with these values, as it goes to the backend."""
        said = [*values, request_id]
        for place in range(1, len(values)):  # the first is the target, which has nothing to strip
            said[place] = said[place].strip()
        return self._template.filled(said)

    def covers(self, names: Iterable[str]) -> bool:
        """Whether `fields` hold the values of the request fields with these lower-case names."""
        return self._blank_names.isdisjoint(names)

    def wanted(self, path: str, query: str | None) -> RequestHead:
        """The request as the cache sees it, as far as `fields` go."""
        return RequestHead("GET", path, query, self.authority, self.fields, self.scheme)


def with_blank_values(fields: Fields, shape: HeadShape) -> Fields:
    """The fields with nothing in place of the values that change from request to request."""
    changing = frozenset(shape.changing)
    return Fields([(name, "" if name.lower() in changing else value) for name, value in fields.pairs])


def depends_only_on_target(policy: Policy, route: Route) -> bool:
    """Whether a miss on the route depends on nothing but the target and what is fixed in a shape."""
    return depends_on_target(policy, route) and not route.show_key


def upstream_template(
    services: Services, exchange: Exchange, shape: HeadShape, values: Values
) -> UpstreamTemplate | None:
    """The way of a request, found by sending one through the pipeline's functions; None where it needs the pipeline."""
    route, now = exchange.match.route, services.clock.now()
    wanted = cache_request(exchange)
    decision = decide(wanted, (), route.cache, now)
    if not depends_only_on_target(exchange.policy, route) or not isinstance(decision, Miss):
        return None
    if passed_before(wanted.fields, services.instance):
        return None
    if route.cache.cookies and "cookie" in shape.changing:  # what is in it decides, and a way does not know that
        return None
    plan = plan_of(exchange, CacheLookup(wanted, cache_key(wanted, route.cache)), decision, services.instance)
    upstream = services.upstreams[route.upstream]
    raw = upstream.head_bytes(plan.outgoing)
    found = _template_from(raw, plan.outgoing.target, exchange.request_id, shape, values)
    if found is None:
        return None
    return UpstreamTemplate(shape, wanted, route, decision, upstream, found, coalesces=plan.coalesce)


def _template_from(raw: bytes, target: str, request_id: str, shape: HeadShape, values: Values) -> Template | None:
    """What a head that was made for these values has in common with others; None where that is not clear.

    The request ID takes the place behind the values.
    """
    first, *lines = raw.splitlines(keepends=True)
    start, own, version = first.rpartition(target.encode("latin-1") + b" HTTP/1.1\r\n")
    if not own or version or target.encode("latin-1") != values[0]:
        return None
    template = Template(text=start)
    template.add_value(0)
    template.add(b" HTTP/1.1\r\n")
    # What strangers say of hops is dropped: a line of such a name is the proxy's own.
    places = {name: at for at, name in enumerate(shape.changing, 1) if name not in NEVER_FROM_STRANGERS}
    places["x-request-id"] = len(values)
    said = [*(value.strip() for value in values), request_id.encode("latin-1")]
    for line in lines:
        place = places.get(line.partition(b":")[0].decode("latin-1").lower())
        if place is None:
            template.add(line)
        elif not template.add_line(line, place, said[place]):
            return None
    return template
