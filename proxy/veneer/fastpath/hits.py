"""The hit lane: repeats what the pipeline answered, as long as nothing that mattered has changed."""

from __future__ import annotations

from typing import Final, cast

from veneer.core.messages import ResponseHead
from veneer.fastpath.conversation import Conversation, Write
from veneer.fastpath.learning import (
    Sharing,
    barred_of,
    counted_as,
    for_all,
    form_of,
    limit_lines,
    may_learn,
    place_of,
    wishes_of,
)
from veneer.fastpath.marks import Marks, marks_of
from veneer.fastpath.misses import Misses, Pipeline
from veneer.fastpath.refusals import Refusals
from veneer.fastpath.scan import Scanner
from veneer.fastpath.spots import Barred, Common, Spot, VariantReply
from veneer.fastpath.table import SpotTable, slots_for
from veneer.observe.observer import Observer
from veneer.observe.repeats import Facts
from veneer.pipeline.answer import Answer
from veneer.pipeline.context import Exchange, ServedHit, Services
from veneer.pipeline.exchange import CacheUse, Refusal
from veneer.pipeline.request_ids import RequestIds
from veneer.policy.model import Route
from veneer.policy.watch import PolicySource
from veneer.server.link import Link
from veneer.server.quick import QuickTalk, QuickWay

MAX_BARRED: Final = 4096
"""Targets remembered for whose sake requests were refused."""


class HitLane(QuickWay):
    """Implements the pipeline's `HitMemory`, and gives each connection a `Conversation` that repeats what was learned.

    What is checked for each hit: the policy in force, the entry still in memory under its key, its freshness, the
    lease, the invalidation log, and the rate limit. What is not checked is what cannot have changed: the same entry
    and the same wishes have the same head.
    """

    def __init__(
        self,
        services: Services,
        policies: PolicySource,
        ids: RequestIds,
        observer: Observer,
    ) -> None:
        self.services = services
        self.policies = policies
        self.ids = ids
        self.observer = observer
        self.misses: Misses | None = None
        self.monotonic = services.clock.monotonic
        self.now = services.clock.now
        self.log = services.log
        self.rates = services.rates
        self.refusals = Refusals(services)
        self.spots = SpotTable(slots_for(policies.current.stores.memory_bytes))
        self._forgetting = self._forget
        self.renew()

    def __len__(self) -> int:
        return len(self.spots)

    def meet(self, link: Link, write: Write) -> Conversation:
        """A new connection, and how octets leave it."""
        return Conversation(self, link, write)

    def foresee(self, talks: list[QuickTalk], data: list[bytes]) -> None:
        """As QuickWay; and have what these hits will read come near."""
        asked: list[Conversation] = []
        for number, talk in enumerate(talks):
            conversation = cast("Conversation", talk)
            if conversation.foresee(data[number]):
                asked.append(conversation)
        self.spots.foresee(asked)

    def open(self, pipeline: Pipeline) -> None:
        """Send misses on as well; `pipeline` takes over what is unusual about them."""
        self.misses = Misses(self.services, pipeline)

    def renew(self) -> None:
        """Begin anew under the policy in force."""
        self.policy = self.policies.current
        limits = self.policy.limits
        self.scanner = Scanner(limits.head_bytes, limits.header_count)
        self.spots.clear()
        self.barred: dict[tuple[str, bytes], Barred] = {}
        self._sharing = Sharing()
        self._commons: dict[str, Common] = {}
        self._facts: dict[tuple[str, str, int, str], Facts] = {}
        self._refused: dict[tuple[str, str], Facts] = {}
        if self.misses is not None:
            self.misses.renew()

    def learn(self, exchange: Exchange, served: ServedHit) -> None:
        """Remember a hit whose answer depends on nothing but the target and the wishes that are looked at here."""
        if self.policies.current is not self.policy:
            self.renew()
        if exchange.policy is not self.policy or not may_learn(exchange, served):
            return
        hashed, check = marks = marks_of(place_of(exchange.request))
        spot = self.spots.get(hashed, check)
        if spot is not None and spot.entry is not served.entry:
            spot = None
        if spot is not None and (not spot.has_room or spot.form_for(wishes_of(exchange.request)) is not None):
            return
        other = None if spot is None else spot.other
        facts, common = self._facts_of(exchange, served), self._common(exchange.route)
        form = form_of(exchange, served, facts, common, self._sharing, other)
        if form is None:
            return
        if spot is not None:
            spot.other = form
        elif not self._settle(marks, served, form, shown_to_all=for_all(exchange, served)):
            return
        served.entry.rest()

    def learn_miss(self, exchange: Exchange, answer: Answer, head: ResponseHead, length: int) -> None:
        """Remember how a miss that began here was answered, where its body was passed on as it came."""
        if exchange.policy is self.policy and self.misses is not None:
            self.misses.learn(exchange, answer, head, length)

    def learn_refusal(self, exchange: Exchange) -> None:
        """Remember which limit holds for a target: whoever is above it comes again soon."""
        barred = barred_of(exchange, self.refusal_facts) if exchange.policy is self.policy else None
        if barred is not None:
            if len(self.barred) >= MAX_BARRED:
                self.barred.clear()
            self.barred[exchange.request.method, place_of(exchange.request)] = barred

    def _settle(self, marks: Marks, served: ServedHit, form: VariantReply, *, shown_to_all: bool) -> bool:
        """Make the target's spot, in place of one for another entry; False when memory does not hold this one alone."""
        now_s = self.monotonic()
        aged_from, fresh_until = now_s - served.age_s, now_s + served.ttl_s
        spot = Spot(marks, served.entry, form, aged_from=aged_from, fresh_until=fresh_until, for_all=shown_to_all)
        if not self.services.store.accompany(served.key, served.entry, spot):
            return False
        self.spots.put(spot)
        spot.holds(self.log, now_s)  # Found out while the entry is at hand, it is not looked for at the first hit.
        return True

    def _common(self, route: Route) -> Common:
        """What the spots of a route have in common, the same object for all."""
        common = self._commons.get(route.name)
        if common is None:
            limit = None if route.rate_limit is None else route.rate_limit.limit
            lines = b"" if limit is None else limit_lines(limit)
            common = Common(route.name, limit, lines, counted_as(route), self._forgetting)
            self._commons[route.name] = common
        return common

    def refusal_facts(self, method: str, route: str) -> Facts:
        """What is recorded of every refusal on a route."""
        facts = self._refused.get((method, route))
        if facts is None:
            facts = self._refused[method, route] = Facts(method, route, 429, refused=Refusal.RATE)
        return facts

    def _facts_of(self, exchange: Exchange, served: ServedHit) -> Facts:
        """What is recorded of every exchange with this answer, the same object for all alike."""
        alike = exchange.request.method, exchange.route.name, served.head.status, served.coding or ""
        facts = self._facts.get(alike)
        if facts is None:
            method, route, status, coding = alike
            facts = self._facts[alike] = Facts(method, route, status, coding, CacheUse.HIT)
        return facts

    def _forget(self, spot: Spot) -> None:
        self.spots.discard(spot)
