"""Who asks: a request on a route where that makes a difference is answered by the rules of the scope it has proven."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from veneer.core.identity import Proofs, for_templates, known_at, scope_of, within
from veneer.core.rules import Scope
from veneer.pipeline.context import Exchange
from veneer.policy.model import Match, Policy, Route
from veneer.ports import Clock, Identities

MOST_SCOPED: Final = 4096
"""Forms of routes remembered: what is worked out of rules is then worked out once for a scope."""
NO_NAMES: Final[frozenset[str]] = frozenset()


class Identifier:
    """Gives exchanges what they prove. `identities` are asked each time: what has expired proves nothing."""

    def __init__(self, identities: Identities) -> None:
        self._identities = identities
        self._policy: Policy | None = None
        self._scoped: dict[tuple[str, Scope], Route] = {}
        self._vouched: dict[str, frozenset[str]] = {}

    async def identified(self, exchange: Exchange, clock: Clock) -> Exchange:
        """The exchange with the identity that it proves now, where that makes a difference.

        Waits where a service has to be asked whose a credential is.
        """
        policy, route = exchange.policy, exchange.match.route
        fields, defined = exchange.request.fields, policy.identities
        vouched: Proofs = ()
        if names := self._vouched_for(policy, route):
            vouched = await self._identities.vouched(defined, names, fields, clock)
        now = clock.now()
        proofs = (*self._identities.prove(defined, fields, now, trusted=exchange.peer.trusted), *vouched)
        return replace(exchange, match=self.proven(policy, exchange.match, proofs, now))

    def proven(self, policy: Policy, match: Match, proofs: Proofs, now: float) -> Match:
        """The match of a request that has these proofs at `now`, in seconds since the epoch."""
        route = match.route
        scope = scope_of(proofs, route.cache.shared_by, now)
        own = route if scope is None else self._within(policy, route, scope)
        return match.under(own, for_templates(known_at(proofs, now)))

    def _vouched_for(self, policy: Policy, route: Route) -> frozenset[str]:
        """The values that make a difference on a route and that services know."""
        self._under(policy)
        names = self._vouched.get(route.name)
        if names is None:
            found = self._identities.vouches(policy.identities, route.identity_names)
            if found is None:
                return NO_NAMES
            names = self._vouched[route.name] = found
        return names

    def _under(self, policy: Policy) -> None:
        """Forget what was worked out of another policy."""
        if policy is not self._policy:
            self._policy = policy
            self._scoped.clear()
            self._vouched.clear()

    def _within(self, policy: Policy, route: Route, scope: Scope) -> Route:
        self._under(policy)
        if len(self._scoped) >= MOST_SCOPED:
            self._scoped.clear()
        own = self._scoped.get((route.name, scope))
        if own is None:
            own = self._scoped[route.name, scope] = replace(route, cache=within(route.cache, scope))
        return own
