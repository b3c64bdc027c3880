"""What all connections of the fast path share: the policy in force, what was learned under it, and what it needs."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mypy_extensions import i64

from veneer.core.rules import Scope
from veneer.fastpath.fingerprint import Fingerprint, scope_mark
from veneer.fastpath.hot_entries import HotEntry, LimitedTarget, RouteFacts
from veneer.fastpath.learning import Interner, limit_lines, limited_target, shared_rate_key
from veneer.fastpath.misses import MissFastPath
from veneer.fastpath.rejections import RejectionCache
from veneer.fastpath.scan import Scanner
from veneer.fastpath.table import HotEntryTable, slots_for
from veneer.fastpath.writes import WriteFastPath
from veneer.observe.observer import Observer
from veneer.observe.repeats import RecordTemplate
from veneer.pipeline.account import logged_identity
from veneer.pipeline.context import Exchange, ServedHit, Services
from veneer.pipeline.exchange import CacheResult, Refusal
from veneer.pipeline.request_ids import RequestIds
from veneer.policy.model import Match, Route
from veneer.policy.watch import PolicySource

MAX_MARKS: Final = 64 * 1024
"""Scopes whose marks are remembered: as many as there are credentials remembered."""
MAX_LIMITED_TARGETS: Final = 4096
"""Targets remembered for whose sake requests were refused."""
MAX_RECORDS: Final = 4096
"""Kinds of exchanges whose records are remembered: one for each kind of answer and scope."""


class FastPathState:
    """One per process and scheme. `misses` and `writes` are None until the pipeline is there for what is unusual."""

    def __init__(
        self, services: Services, policies: PolicySource, ids: RequestIds, observer: Observer, scheme: str
    ) -> None:
        self._scheme = scheme
        self.policies = policies
        self.ids = ids
        self.observer = observer
        self.misses: MissFastPath | None = None
        self.writes: WriteFastPath | None = None
        self.monotonic = services.clock.monotonic
        self.now = services.clock.now
        self.bearers = services.identities.bearers
        self.log = services.log
        self.rates = services.rates
        self.rejections = RejectionCache(services)
        self.hot_entries = HotEntryTable(slots_for(policies.current.stores.memory_bytes))
        self._forget = self.hot_entries.discard
        self.reset_for_policy()

    def reset_for_policy(self) -> None:
        """Begin anew under the policy in force."""
        self.policy = self.policies.current
        self.rejections.reset_for_policy(self.policy)
        limits = self.policy.limits
        self.scanner = Scanner(limits.head_bytes, limits.header_count)
        self.hot_entries.clear()
        self.limited_targets: dict[tuple[str, bytes], LimitedTarget] = {}
        named = dict.fromkeys(route.cache.shared_by for route in self.policy.routes if route.cache.shared_by)
        self.sharings: list[tuple[str, ...]] = list(named)
        self._marks: dict[str, Fingerprint] = {}
        self.interner = Interner()
        self._route_facts: dict[str, RouteFacts] = {}
        self._records: dict[tuple[str, str, int, str], RecordTemplate] = {}
        self._identified: dict[tuple[RecordTemplate, str], RecordTemplate] = {}
        self._rejection_records: dict[tuple[str, str], RecordTemplate] = {}
        if self.misses is not None:
            self.misses.reset()
        if self.writes is not None:
            self.writes.reset(self.policy)

    def scoped_entry(self, hash_a: i64, hash_b: i64, authorization: bytes) -> HotEntry | None:
        """What answers a target with this fingerprint within a scope that the field proves now, as it did before.

        A hot entry is found by the scope in its fingerprint: whoever does not prove it does not find it.
        """
        now = self.now()
        known = self.bearers.find(self.policy.identities, authorization, now)
        if known is None:
            return None
        for shared_by in self.sharings:
            scope = known.scope(shared_by, now)
            if scope is None:
                continue
            mark_a, mark_b = self._mark_of(scope)
            hot_entry = self.hot_entries.get(hash_a ^ mark_a, hash_b ^ mark_b)
            if hot_entry is not None and hot_entry.template.route_facts.shared_by == shared_by:
                return hot_entry
        return None

    def _mark_of(self, scope: Scope) -> Fingerprint:
        mark = self._marks.get(scope.name)
        if mark is None:
            if len(self._marks) >= MAX_MARKS:
                self._marks.clear()
            mark = self._marks[scope.name] = scope_mark(scope)
        return mark

    def rejection_record(self, method: str, route: str) -> RecordTemplate:
        """What is recorded of every refusal on a route."""
        record = self._rejection_records.get((method, route))
        if record is None:
            record = RecordTemplate(method, route, 429, refused=Refusal.RATE, scheme=self._scheme)
            self._rejection_records[method, route] = record
        return record

    def learn_refusal(self, method: str, target: bytes, match: Match) -> None:
        """Remember which limit holds for a target, its host before it: whoever is above it comes again soon."""
        limited = limited_target(self.policy, method, match, self.rejection_record)
        if limited is not None:
            if len(self.limited_targets) >= MAX_LIMITED_TARGETS:
                self.limited_targets.clear()
            self.limited_targets[method, target] = limited

    def facts_of(self, route: Route) -> RouteFacts:
        """What the hot entries of a route have in common, the same object for all."""
        facts = self._route_facts.get(route.name)
        if facts is None:
            limit = None if route.rate_limit is None else route.rate_limit.limit
            lines = b"" if limit is None else limit_lines(limit)
            key, shared_by = shared_rate_key(route), route.cache.shared_by
            facts = RouteFacts(route.name, limit, lines, key, self._forget, shared_by, route.sources)
            self._route_facts[route.name] = facts
        return facts

    def record_of(self, exchange: Exchange, served: ServedHit) -> RecordTemplate:
        """What is recorded of every exchange with this answer, the same object for all alike."""
        alike = exchange.request.method, exchange.match.route.name, served.head.status, served.coding or ""
        record = self._records.get(alike)
        if record is None:
            method, route, status, coding = alike
            hit = RecordTemplate(method, route, status, coding, CacheResult.HIT, scheme=self._scheme)
            record = self._records[alike] = hit
        return record if exchange.match.identity is None else self.identified_record(record, exchange.match)

    def targeted_record(self, record: RecordTemplate, target: str) -> RecordTemplate:
        """The record of what this target has answered, the same object for all alike."""
        targeted = self._identified.get((record, target))
        if targeted is None:
            targeted = self._remember((record, target), replace(record, target=target))
        return targeted

    def identified_record(self, record: RecordTemplate, match: Match) -> RecordTemplate:
        """The record with what is told of who asks, the same object for all alike."""
        identity = logged_identity(self.policy, match)
        if identity is None:
            return record
        alike = record, repr(identity)
        identified = self._identified.get(alike)
        if identified is None:
            identified = self._remember(alike, replace(record, identity=identity))
        return identified

    def _remember(self, alike: tuple[RecordTemplate, str], record: RecordTemplate) -> RecordTemplate:
        if len(self._identified) >= MAX_RECORDS:
            self._identified.clear()
        self._identified[alike] = record
        return record
