"""How requests for what is not stored go to the backend, and whether the fast path may send them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from veneer.core.forwarding import passed_before
from veneer.core.key import key_frame
from veneer.core.messages import RequestHead
from veneer.core.reuse import Miss, decide
from veneer.fastpath.found_templates import FoundTemplates
from veneer.fastpath.identified import counts_known
from veneer.fastpath.learning import depends_on_target
from veneer.fastpath.pattern import Template, Values
from veneer.fastpath.replies import ResponseTemplates
from veneer.fastpath.scan import HeadShape
from veneer.fastpath.upstream_templates import UpstreamTemplate, template_from
from veneer.pipeline.context import Exchange, Services, cache_request
from veneer.pipeline.plan import CacheLookup, plan_of
from veneer.policy.model import Policy, Route
from veneer.ports import Upstream

NO_KEY: Final = ""
"""Of a plan that is only made to see what would be sent."""


class MissTemplate(UpstreamTemplate):
    """Of requests for what is not stored.

    `coalesces` tells whether others may wait for the response; `key_frame` is that of their cache keys. `found` is what
    is known of answers to those which a shared store had; `policy` is that under which all this holds.
    `collapsed` are the answers to those that another's fetch has answered.
    `hits_alike` tells whether hits on the route depend on nothing but target, shape and scope.
    """

    __slots__ = ("coalesces", "collapsed", "decision", "found", "hits_alike", "key_frame", "policy")

    def __init__(
        self,
        shape: HeadShape,
        wanted: RequestHead,
        exchange: Exchange,
        decision: Miss,
        upstream: Upstream,
        template: Template,
        *,
        coalesces: bool,
    ) -> None:
        policy, route = exchange.policy, exchange.match.route
        super().__init__(
            shape, wanted, route, upstream, template, ResponseTemplates(route.compress.coding, edits=route.response)
        )
        self.key_frame = key_frame(self.wanted("", None), route.cache)
        self.decision = decision
        self.collapsed: Final = ResponseTemplates(route.compress.coding, edits=route.response)
        self.found: Final = FoundTemplates(route.compress.coding, route.response)
        self.policy: Final = policy
        self.coalesces = coalesces
        self.hits_alike = depends_on_target(policy, route)


def depends_only_on_target(policy: Policy, route: Route) -> bool:
    """Whether a miss on the route depends on nothing but the target, what is fixed in a shape, and who asks."""
    return counts_known(policy, route) and not route.cache.key.headers and not route.show_key


def miss_template(
    services: Services, exchange: Exchange, route: Route, shape: HeadShape, values: Values
) -> MissTemplate | None:
    """The way of a request, found by sending one through the pipeline's functions; None where it needs the pipeline.

    `route` is that of the exchange, without a scope: what is remembered is nobody's.
    """
    now = services.clock.now()
    wanted, rules = cache_request(exchange), exchange.match.route.cache
    decision = decide(wanted, (), rules, now)
    if not depends_only_on_target(exchange.policy, route) or not isinstance(decision, Miss):
        return None
    if passed_before(wanted.fields, services.instance):
        return None
    if route.cache.cookies and "cookie" in shape.changing:  # what is in it decides, and a way does not know that
        return None
    plan = plan_of(exchange, CacheLookup(wanted, NO_KEY), decision, services.instance)
    upstream = services.upstreams[route.upstream]
    raw = upstream.head_bytes(plan.outgoing)
    found = template_from(raw, plan.outgoing.target, exchange.request_id, shape, values, route.request)
    if found is None:
        return None
    unscoped = replace(exchange, match=exchange.match.under(route))
    return MissTemplate(shape, wanted, unscoped, decision, upstream, found, coalesces=plan.coalesce)
