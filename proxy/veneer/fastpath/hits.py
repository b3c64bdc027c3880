"""The fast path: repeats what the pipeline answered, as long as nothing that mattered has changed."""

from __future__ import annotations

from typing import Final, cast

from veneer.core.messages import ResponseHead
from veneer.fastpath.conversation import FastPathConnection, Write
from veneer.fastpath.learning import (
    Interner,
    build_reply,
    for_all,
    limit_lines,
    limited_target,
    may_learn,
    shared_rate_key,
    target_key,
    variant_selector,
)
from veneer.fastpath.marks import Fingerprint, fingerprint_of
from veneer.fastpath.misses import MissFastPath, Pipeline
from veneer.fastpath.refusals import RejectionCache
from veneer.fastpath.scan import Scanner
from veneer.fastpath.spots import HotEntry, LimitedTarget, RouteFacts, VariantReply
from veneer.fastpath.table import HotEntryTable, slots_for
from veneer.observe.observer import Observer
from veneer.observe.repeats import RecordTemplate
from veneer.pipeline.answer import Answer
from veneer.pipeline.context import Exchange, ServedHit, Services
from veneer.pipeline.exchange import CacheResult, Refusal
from veneer.pipeline.request_ids import RequestIds
from veneer.policy.model import Route
from veneer.policy.watch import PolicySource
from veneer.server.link import ConnectionHandle
from veneer.server.quick import FastPath, FastPathHandler

MAX_BARRED: Final = 4096
"""Targets remembered for whose sake requests were refused."""


class HitFastPath(FastPath):
    """The pipeline's `FastPathLearner`; each connection has a `FastPathConnection` that repeats what was learned.

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
        self.misses: MissFastPath | None = None
        self.monotonic = services.clock.monotonic
        self.now = services.clock.now
        self.log = services.log
        self.rates = services.rates
        self.refusals = RejectionCache(services)
        self.spots = HotEntryTable(slots_for(policies.current.stores.memory_bytes))
        self._forgetting = self._forget
        self.renew()

    def __len__(self) -> int:
        return len(self.spots)

    def meet(self, link: ConnectionHandle, write: Write) -> FastPathConnection:
        """A new connection, and how bytes leave it."""
        return FastPathConnection(self, link, write)

    def prefetch(self, talks: list[FastPathHandler], data: list[bytes]) -> None:
        """As QuickWay; and have what these hits will read come near."""
        asked: list[FastPathConnection] = []
        for number, talk in enumerate(talks):
            conversation = cast("FastPathConnection", talk)
            if conversation.prefetch(data[number]):
                asked.append(conversation)
        self.spots.prefetch(asked)

    def open(self, pipeline: Pipeline) -> None:
        """Send misses on as well; `pipeline` takes over what is unusual about them."""
        self.misses = MissFastPath(self.services, pipeline)

    def renew(self) -> None:
        """Begin anew under the policy in force."""
        self.policy = self.policies.current
        limits = self.policy.limits
        self.scanner = Scanner(limits.head_bytes, limits.header_count)
        self.spots.clear()
        self.barred: dict[tuple[str, bytes], LimitedTarget] = {}
        self._sharing = Interner()
        self._commons: dict[str, RouteFacts] = {}
        self._facts: dict[tuple[str, str, int, str], RecordTemplate] = {}
        self._refused: dict[tuple[str, str], RecordTemplate] = {}
        if self.misses is not None:
            self.misses.renew()

    def learn(self, exchange: Exchange, served: ServedHit) -> None:
        """Remember a hit whose answer depends on nothing but the target and the wishes that are looked at here."""
        if self.policies.current is not self.policy:
            self.renew()
        if exchange.policy is not self.policy or not may_learn(exchange, served):
            return
        hashed, check = marks = fingerprint_of(target_key(exchange.request))
        spot = self.spots.get(hashed, check)
        if spot is not None and spot.entry is not served.entry:
            spot = None
        if spot is not None and (
            not spot.may_add_variant or spot.reply_for(variant_selector(exchange.request)) is not None
        ):
            return
        other = None if spot is None else spot.other
        facts, common = self._facts_of(exchange, served), self._common(exchange.match.route)
        form = build_reply(exchange, served, facts, common, self._sharing, other)
        if form is None:
            return
        if spot is not None:
            spot.other = form
        elif not self._settle(marks, served, form, shown_to_all=for_all(exchange, served)):
            return
        served.entry.drop_derived()

    def learn_miss(self, exchange: Exchange, answer: Answer, head: ResponseHead, length: int) -> None:
        """Remember how a miss that began here was answered, where its body was passed on as it came."""
        if exchange.policy is self.policy and self.misses is not None:
            self.misses.learn(exchange, answer, head, length)

    def learn_refusal(self, exchange: Exchange) -> None:
        """Remember which limit holds for a target: whoever is above it comes again soon."""
        barred = limited_target(exchange, self.refusal_facts) if exchange.policy is self.policy else None
        if barred is not None:
            if len(self.barred) >= MAX_BARRED:
                self.barred.clear()
            self.barred[exchange.request.method, target_key(exchange.request)] = barred

    def _settle(self, marks: Fingerprint, served: ServedHit, form: VariantReply, *, shown_to_all: bool) -> bool:
        """Make the target's spot, in place of one for another entry; False when memory does not hold this one alone."""
        now_s = self.monotonic()
        aged_from, fresh_until = now_s - served.age_s, now_s + served.ttl_s
        spot = HotEntry(marks, served.entry, form, aged_from=aged_from, fresh_until=fresh_until, for_all=shown_to_all)
        if not self.services.store.add_listener(served.key, served.entry, spot):
            return False
        self.spots.put(spot)
        spot.holds(self.log, now_s)  # Found out while the entry is at hand, it is not looked for at the first hit.
        return True

    def _common(self, route: Route) -> RouteFacts:
        """What the spots of a route have in common, the same object for all."""
        common = self._commons.get(route.name)
        if common is None:
            limit = None if route.rate_limit is None else route.rate_limit.limit
            lines = b"" if limit is None else limit_lines(limit)
            common = RouteFacts(route.name, limit, lines, shared_rate_key(route), self._forgetting)
            self._commons[route.name] = common
        return common

    def refusal_facts(self, method: str, route: str) -> RecordTemplate:
        """What is recorded of every refusal on a route."""
        facts = self._refused.get((method, route))
        if facts is None:
            facts = self._refused[method, route] = RecordTemplate(method, route, 429, refused=Refusal.RATE)
        return facts

    def _facts_of(self, exchange: Exchange, served: ServedHit) -> RecordTemplate:
        """What is recorded of every exchange with this answer, the same object for all alike."""
        alike = exchange.request.method, exchange.match.route.name, served.head.status, served.coding or ""
        facts = self._facts.get(alike)
        if facts is None:
            method, route, status, coding = alike
            facts = self._facts[alike] = RecordTemplate(method, route, status, coding, CacheResult.HIT)
        return facts

    def _forget(self, spot: HotEntry) -> None:
        self.spots.discard(spot)
