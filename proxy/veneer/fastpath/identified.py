"""Who asks, as far as the fast path can tell: by an Authorization that the pipeline has checked."""

from __future__ import annotations

from veneer.core.fields import Fields
from veneer.fastpath.pattern import Values
from veneer.fastpath.scan import HeadShape
from veneer.pipeline.admit import client_counted
from veneer.pipeline.context import Services
from veneer.pipeline.identify import Identifier
from veneer.policy.model import Match, Policy, Route
from veneer.policy.model_rates import RateKeyKind, RateRule

NO_FIELDS = Fields()
KNOWN_KINDS = frozenset({RateKeyKind.CLIENT_IP, RateKeyKind.ROUTE, RateKeyKind.GLOBAL, RateKeyKind.IDENTITY})
"""Rate keys for which nothing has to be read in a request's fields but who asks."""


class FastIdentifier:
    """Puts requests under the identity that they prove now, by the pipeline's functions."""

    def __init__(self, services: Services) -> None:
        self._bearers = services.identities.bearers
        self._identifier = Identifier(services.identities)
        self._now = services.clock.now

    def identified(self, policy: Policy, match: Match, shape: HeadShape, values: Values) -> Match | None:
        """The match of a request with what it proves, where that makes a difference; None where that is not known here.

        Nor is it known where fields decide the route, or where less is proven than the route asks for: another
        credential may prove the rest.
        """
        if match.by_fields:
            return None
        names = match.route.identity_names
        if not names:
            return match
        if not shape.authorization:
            return None
        now = self._now()
        known = self._bearers.find(policy.identities, values[shape.authorization], now)
        if known is None:
            return None
        own = self._identifier.proven(policy, match, known.proofs, now)
        proven = own.identity or {}
        return own if all("identity." + name in proven for name in names) else None


def counts_known(policy: Policy, route: Route) -> bool:
    """Whether a client address and who asks tell by whom a request on the route is counted."""
    rule = route.rate_limit
    alone = rule is None or (not route.further_limits and all(key.kind in KNOWN_KINDS for key in rule.keys))
    return alone and not policy.trusted_proxies


def counted_as(rule: RateRule, match: Match, address: str) -> str:
    """The name under which a request is counted on a route that `counts_known`."""
    return client_counted(rule, match, NO_FIELDS, address)
