"""How requests that are not safe go to the backend, and whether the fast path may send them."""

from __future__ import annotations

from typing import Final, NamedTuple

from veneer.core.forwarding import passed_before
from veneer.core.messages import RequestHead
from veneer.core.retry_budget import RetryWrites
from veneer.core.rules import CodingRules
from veneer.fastpath.identified import counts_known
from veneer.fastpath.pattern import Template, Values
from veneer.fastpath.replies import ResponseTemplates
from veneer.fastpath.response_shapes import OF_WRITES
from veneer.fastpath.scan import HeadShape
from veneer.fastpath.upstream_templates import UpstreamTemplate, template_from
from veneer.pipeline.admit import body_limit
from veneer.pipeline.context import Exchange, Services, cache_request
from veneer.pipeline.forward import sent_as
from veneer.pipeline.invalidations import Events
from veneer.policy.model import Match, Policy, Route
from veneer.ports import Upstream

MAX_CONTENT_BYTES: Final = 64 * 1024
"""Longer content hardly comes in one piece."""
IN_VAIN: Final = 8
"""So many answers in a row that were not made here, and the fast path leaves such requests alone but for one in so many
squared."""


class PolicedWrite(NamedTuple):
    """A write as its policy sees it; `done` is what it invalidates if its response names nothing."""

    policy: Policy
    match: Match
    wanted: RequestHead
    done: Events


class WriteTemplate(UpstreamTemplate):
    """Of requests that are not safe. `most_bytes` is how long their content may be.

    `last` is how the policy saw the last one, to `last_target`: many go to one target, and are seen alike.
    """

    __slots__ = ("_in_vain", "last", "last_target", "most_bytes")

    def __init__(
        self,
        shape: HeadShape,
        request: RequestHead,
        route: Route,
        upstream: Upstream,
        template: Template,
        rules: CodingRules,
        most_bytes: int,
    ) -> None:
        replies = ResponseTemplates(rules, OF_WRITES, route.response)
        super().__init__(shape, request, route, upstream, template, replies)
        self.most_bytes = min(most_bytes, MAX_CONTENT_BYTES)
        self._in_vain = 0
        self.last: PolicedWrite | None = None
        self.last_target = b""

    def is_worth_trying(self) -> bool:
        """Whether one more may be sent from here: answers that are made elsewhere cost more than they spare."""
        if self._in_vain < IN_VAIN:
            return True
        self._in_vain += 1
        return self._in_vain % (IN_VAIN * IN_VAIN) == 0

    def note(self, *, answered: bool) -> None:
        """See whether one was answered here."""
        self._in_vain = 0 if answered else self._in_vain + 1


def write_template(
    services: Services, exchange: Exchange, route: Route, shape: HeadShape, values: Values
) -> WriteTemplate | None:
    """The way of a request, found by sending one through the pipeline's functions; None where it needs the pipeline.

    `route` is that of the exchange, without a scope.
    """
    request = exchange.request
    if not counts_known(exchange.policy, route) or passed_before(request.fields, services.instance):
        return None
    if route.claim.retry_writes is not RetryWrites.NEVER:
        return None  # a lease does not send such a request again
    if route.cache.enabled and cache_request(exchange).method == "QUERY":
        return None
    outgoing, upstream = sent_as(exchange, services.instance), services.upstreams[route.upstream]
    raw = upstream.head_bytes(outgoing, has_body=shape.content_length > 0)
    found = template_from(raw, outgoing.target, exchange.request_id, shape, values, route.request)
    if found is None:
        return None
    return WriteTemplate(shape, request, route, upstream, found, route.compress.coding, body_limit(exchange))
