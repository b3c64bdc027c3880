"""The fast path: repeats what the pipeline answered, as long as nothing that mattered has changed."""

from __future__ import annotations

from typing import cast

from mypy_extensions import i64

from veneer.core.messages import ResponseHead
from veneer.fastpath.connection import FastPathConnection
from veneer.fastpath.exchange import Write
from veneer.fastpath.fingerprint import fingerprint_of
from veneer.fastpath.found import FoundHits
from veneer.fastpath.handoff import UnsentClient
from veneer.fastpath.hot_entries import hot_entry_class
from veneer.fastpath.learning import (
    build_reply,
    for_all,
    head_pieces,
    may_learn,
    target_key,
    variant_selector,
)
from veneer.fastpath.miss import Pipeline
from veneer.fastpath.miss_templates import MissTemplate
from veneer.fastpath.misses import MissFastPath
from veneer.fastpath.state import FastPathState
from veneer.fastpath.write import WritePipeline
from veneer.fastpath.writes import WriteFastPath
from veneer.observe.observer import Observer
from veneer.pipeline.answer import Answer
from veneer.pipeline.context import Exchange, ServedHit, Services
from veneer.pipeline.request_ids import RequestIds
from veneer.policy.watch import PolicySource
from veneer.server.ports import ConnectionHandle, FastPath, FastPathHandler


class HitFastPath(FastPath):
    """The pipeline's `FastPathLearner`; each connection has a `FastPathConnection` that repeats what was learned.

    What is checked for each hit: the policy in force, the entry still in memory under its key, its freshness, the
    lease, the invalidation log, and the rate limit. What is not checked is what cannot have changed: the same entry
    and the same selector have the same head.
    """

    def __init__(
        self, services: Services, policies: PolicySource, ids: RequestIds, observer: Observer, scheme: str = "http"
    ) -> None:
        """`scheme` is that of all requests that come this way."""
        self._services = services
        self.state = FastPathState(services, policies, ids, observer, scheme)

    def __len__(self) -> int:
        return len(self.state.hot_entries)

    def connect(self, connection: ConnectionHandle, write: Write) -> FastPathConnection:
        """A new connection, and how bytes leave it."""
        return FastPathConnection(self.state, connection, write)

    def prefetch(self, handlers: list[FastPathHandler], data: list[bytes]) -> None:
        """As `FastPath`; and have what these hits will read come near."""
        asked: list[i64] = []
        for number, handler in enumerate(handlers):
            connection = cast("FastPathConnection", handler)
            if connection.prefetch(data[number]):
                asked.append(connection.hash_a)
        self.state.hot_entries.prefetch(asked)

    def open(self, pipeline: Pipeline, of_writes: WritePipeline) -> None:
        """Send misses on as well, and writes; the pipeline takes over what is unusual about them."""
        state, services = self.state, self._services
        state.misses = MissFastPath(services, pipeline, FoundHits(services, state.policies, state.hot_entries))
        state.writes = WriteFastPath(services, of_writes, state.policy)

    def learn(self, exchange: Exchange, served: ServedHit) -> None:
        """Remember a hit whose answer depends on nothing but the target and the selector that are looked at here."""
        state = self.state
        if state.policies.current is not state.policy:
            state.reset_for_policy()
        if exchange.policy is not state.policy or not may_learn(exchange, served):
            return
        if isinstance(exchange.client, UnsentClient):
            self._learn_found(exchange, served, exchange.client.miss.template)
        fingerprint = fingerprint_of(target_key(exchange.request), exchange.match.route.cache.scope)
        hot_entry = state.hot_entries.get(fingerprint[0], fingerprint[1])
        if hot_entry is not None and hot_entry.entry is not served.entry:
            hot_entry = None
        if hot_entry is not None and (
            not hot_entry.may_add_variant or hot_entry.reply_for(variant_selector(exchange.request)) is not None
        ):
            return
        next_variant = None if hot_entry is None else hot_entry.next_variant
        record, facts = state.record_of(exchange, served), state.facts_of(exchange.match.route)
        reply = build_reply(exchange, served, record, facts, state.interner, next_variant)
        if reply is None:
            return
        if hot_entry is not None:
            hot_entry.next_variant = reply
        else:
            now_s = state.monotonic()
            hot_entry = hot_entry_class(facts)(
                fingerprint,
                served.entry,
                reply,
                aged_from=now_s - served.age_s,
                fresh_until=now_s + served.ttl_s,
                for_all=for_all(served.entry, exchange.match.route.cache),
            )
            if not self._services.store.add_listener(served.key, served.entry, hot_entry):
                return  # memory does not hold this entry alone
            state.hot_entries.put(hot_entry)
            # Found out while the entry is at hand, it is not looked for at the first hit.
            hot_entry.is_servable(state.log, now_s)
        served.entry.drop_derived()

    def _learn_found(self, exchange: Exchange, served: ServedHit, template: MissTemplate) -> None:
        """Remember how something was answered that a look-up had found.

        Not where it is told who asked: what is remembered of a shape is nobody's, and the line would name another.
        """
        state, request = self.state, exchange.request
        if exchange.match.identity is not None:
            return
        pieces = head_pieces(request.method, served)
        if pieces is not None and template.policy is state.policy:
            record, facts = state.record_of(exchange, served), state.facts_of(exchange.match.route)
            template.found.learn(served, pieces, variant_selector(request), record, facts)

    def learn_miss(self, exchange: Exchange, answer: Answer, head: ResponseHead, length: int, coding: str) -> None:
        """Remember how a miss that began here was answered."""
        misses = self.state.misses
        if exchange.policy is self.state.policy and misses is not None:
            misses.learn(exchange, answer, head, length, coding)

    def learn_passed(self, exchange: Exchange, answer: Answer, head: ResponseHead, length: int | None) -> None:
        """Remember how a write that began here was answered."""
        writes = self.state.writes
        if exchange.policy is self.state.policy and writes is not None:
            writes.learn(exchange, answer, head, length)

    def learn_refusal(self, exchange: Exchange) -> None:
        """Remember which limit holds for a target: whoever is above it comes again soon."""
        if exchange.policy is self.state.policy:
            self.state.learn_refusal(exchange.request.method, target_key(exchange.request), exchange.match)
