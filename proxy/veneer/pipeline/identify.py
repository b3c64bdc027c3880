"""Who asks: a request on a route where that makes a difference is answered by the rules of the scope it has proven."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from veneer.core.identity import for_templates, known_at, scope_of, within
from veneer.core.rules import Scope
from veneer.pipeline.context import Exchange
from veneer.policy.model import Policy, Route
from veneer.ports import Clock, Identities

MOST_SCOPED: Final = 4096
"""Forms of routes remembered: what is worked out of rules is then worked out once for a scope."""


class Identifier:
    """Gives exchanges what they prove. `identities` are asked each time: what has expired proves nothing."""

    def __init__(self, identities: Identities) -> None:
        self._identities = identities
        self._policy: Policy | None = None
        self._scoped: dict[tuple[str, Scope], Route] = {}

    def identified(self, exchange: Exchange, clock: Clock) -> Exchange:
        """The exchange with the identity that it proves now, where that makes a difference."""
        policy, route = exchange.policy, exchange.match.route
        if not route.identifies:
            return exchange
        now = clock.now()
        fields = exchange.request.fields
        proofs = self._identities.prove(policy.identities, fields, now, trusted=exchange.peer.trusted)
        scope = scope_of(proofs, route.cache.shared_by, now)
        own = route if scope is None else self._within(policy, route, scope)
        return replace(exchange, match=exchange.match.under(own, for_templates(known_at(proofs, now))))

    def _within(self, policy: Policy, route: Route, scope: Scope) -> Route:
        if policy is not self._policy or len(self._scoped) >= MOST_SCOPED:
            self._policy = policy
            self._scoped.clear()
        own = self._scoped.get((route.name, scope))
        if own is None:
            own = self._scoped[route.name, scope] = replace(route, cache=within(route.cache, scope))
        return own
