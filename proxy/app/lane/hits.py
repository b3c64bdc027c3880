"""The hit lane: repeats what the pipeline answered, as long as nothing that mattered has changed."""

from __future__ import annotations

from collections.abc import Callable

from proxy.app.lane.conversation import Conversation, Write
from proxy.app.lane.learning import (
    Sharing,
    barred_of,
    counted_as,
    facts_of,
    form_of,
    limit_lines,
    may_learn,
    place_of,
    wishes_of,
)
from proxy.app.lane.refusals import Refusals
from proxy.app.lane.scan import Scanner
from proxy.app.lane.spots import Barred, Spot
from proxy.app.observe.repeats import Facts, Note
from proxy.app.request_ids import RequestIds
from proxy.pipeline.context import Exchange, ServedHit, Services
from proxy.pipeline.exchange import Refusal
from proxy.policy.watch import PolicySource

MAX_BARRED = 4096
"""Targets remembered for whose sake requests were refused."""


class HitLane:
    """Implements the pipeline's `HitMemory`, and gives each connection a `Conversation` that repeats what was learned.

    What is checked for each hit: the policy in force, the entry still in memory under its key, its freshness, the
    lease, the invalidation log, and the rate limit. What is not checked is what cannot have changed: the same entry
    and the same wishes have the same head.
    """

    def __init__(
        self, services: Services, policies: PolicySource, ids: RequestIds, note: Callable[[Note], None]
    ) -> None:
        self.services = services
        self.policies = policies
        self.ids = ids
        self.note = note
        self.monotonic = services.clock.monotonic
        self.log = services.log
        self.rates = services.rates
        self.refusals = Refusals(services)
        self.spots: dict[bytes, Spot] = {}
        self._forgetting = self._forget
        self.renew()

    def __len__(self) -> int:
        return len(self.spots)

    def meet(self, address: str, write: Write) -> Conversation:
        """A new connection from `address`, and how octets leave it."""
        return Conversation(self, address, write)

    def renew(self) -> None:
        """Begin anew under the policy in force."""
        self.policy = self.policies.current
        limits = self.policy.limits
        self.scanner = Scanner(limits.head_bytes, limits.header_count)
        self.spots.clear()
        self.barred: dict[tuple[str, bytes], Barred] = {}
        self._sharing = Sharing()
        self._facts: dict[tuple[str, str, int, str], Facts] = {}
        self._refused: dict[tuple[str, str], Facts] = {}

    def learn(self, exchange: Exchange, served: ServedHit) -> None:
        """Remember a hit whose answer depends on nothing but the target and the wishes that are looked at here."""
        if self.policies.current is not self.policy:
            self.renew()
        if exchange.policy is not self.policy or not may_learn(exchange, served):
            return
        spot = self._spot(exchange, served)
        if spot is None or not spot.has_room or spot.form_for(wishes_of(exchange.request)) is not None:
            return
        form = form_of(exchange, served, self._shared(facts_of(exchange, served)), self._sharing, spot.form)
        if form is not None:
            spot.form = form
            served.entry.rest()

    def learn_refusal(self, exchange: Exchange) -> None:
        """Remember which limit holds for a target: whoever is above it comes again soon."""
        barred = barred_of(exchange) if exchange.policy is self.policy else None
        if barred is not None:
            if len(self.barred) >= MAX_BARRED:
                self.barred.clear()
            self.barred[exchange.request.method, place_of(exchange.request)] = barred

    def _spot(self, exchange: Exchange, served: ServedHit) -> Spot | None:
        """The target's spot; a new one when another entry answers it now. None when memory does not hold that alone."""
        request, rule = exchange.request, exchange.route.rate_limit
        place = place_of(request)
        spot = self.spots.get(place)
        if spot is not None and spot.entry is served.entry:
            return spot
        now_s = self.monotonic()
        spot = Spot(
            place=place,
            entry=served.entry,
            route=exchange.route.name,
            aged_from=now_s - served.age_s,
            fresh_until=now_s + served.ttl_s,
            limit=None if rule is None else rule.limit,
            limit_lines=b"" if rule is None else self._sharing.one(limit_lines(rule.limit)),
            counted_as=counted_as(exchange.route),
            forget=self._forgetting,
        )
        spot.mark = self.services.store.accompany(served.key, served.entry, spot)
        if spot.mark is None:
            return None
        self.spots[place] = spot
        return spot

    def refusal_facts(self, method: str, route: str) -> Facts:
        """What is recorded of every refusal on a route."""
        facts = self._refused.get((method, route))
        if facts is None:
            facts = self._refused[method, route] = Facts(method, route, 429, refused=Refusal.RATE)
        return facts

    def _shared(self, facts: Facts) -> Facts:
        """These facts, the same object whenever they are the same."""
        return self._facts.setdefault((facts.method, facts.route, facts.status, facts.coding), facts)

    def _forget(self, spot: Spot) -> None:
        if self.spots.get(spot.place) is spot:
            del self.spots[spot.place]
