"""Hits that nothing was learned of yet: answered as the pipeline answered one alike, and hot entries from then on."""

from __future__ import annotations

from typing import Final

from veneer.core.entry import CodedBody, Entry
from veneer.core.reuse import Hit, decide
from veneer.fastpath.exchange import FastExchange
from veneer.fastpath.fingerprint import fingerprint_at, within_scope
from veneer.fastpath.found_templates import FoundTemplate
from veneer.fastpath.hot_entries import HotEntry, VariantReply, hot_entry_class
from veneer.fastpath.learning import for_all, is_alike_for_all
from veneer.fastpath.miss_templates import MissTemplate
from veneer.fastpath.table import HotEntryTable
from veneer.pipeline.context import Services
from veneer.policy.watch import PolicySource
from veneer.ports import LeaseState

HELD: Final = LeaseState.HELD  # to look a member of an Enum up runs Python


class FoundHits:
    """Answers requests whose response is in memory, be it that a look-up has just brought it there."""

    def __init__(self, services: Services, policies: PolicySource, hot_entries: HotEntryTable) -> None:
        self._store = services.store
        self._local = services.store.local
        self._log = services.log
        self._codec = services.codec
        self._recompression = services.recompression
        self._clock = services.clock
        self._policies = policies
        self._hot_entries = hot_entries

    def answer(self, exchange: FastExchange, template: MissTemplate, key: str) -> bool:
        """Answer from what memory holds under `key` now; False, and nothing done, where it is for the pipeline."""
        now_s = self._clock.monotonic()
        hot_entry = None if exchange.connection.is_last else self.hot_entry(exchange, template, key, now_s)
        if hot_entry is None:
            return False
        exchange.request.answering.answer_hit(exchange, hot_entry, now_s)
        return True

    def hot_entry(self, exchange: FastExchange, template: MissTemplate, key: str, now_s: float) -> HotEntry | None:
        """What memory holds under `key`, as what answers the request and others like it from now on."""
        entry = self._entry(template, key)
        if entry is None:
            return None
        rules, request = exchange.match.route.cache, exchange.request
        decision = decide(exchange.wanted, [(entry, self._log.validity(entry))], rules, self._clock.now())
        shows_all = for_all(entry, rules)
        if not isinstance(decision, Hit) or (request.shape.credentials and not shows_all and rules.scope is None):
            return None
        known = self._reply(template, key, entry)
        if known is None:
            return None
        entry, reply = known
        hot_entry = hot_entry_class(reply.template.route_facts)(
            within_scope(fingerprint_at(request.shape.host, request.shape.host_hashed, request.values[0]), rules.scope),
            entry,
            reply,
            aged_from=now_s - decision.age_s,
            fresh_until=now_s + decision.ttl_s,
            for_all=shows_all,
        )
        if not hot_entry.is_servable(self._log, now_s) or not self._store.add_listener(key, entry, hot_entry):
            return None
        self._hot_entries.put(hot_entry)
        entry.drop_derived()
        return hot_entry

    def _entry(self, template: MissTemplate, key: str) -> Entry | None:
        """The entry that answers every request for its target alike, where this node may answer from it at all."""
        local = self._local
        if local is None or template.policy is not self._policies.current or self._log.lease_state() is not HELD:
            return None
        if not template.hits_alike:
            return None
        entries = local.get_local(key)
        return entries[0] if len(entries) == 1 and is_alike_for_all(entries[0], template.route) else None

    def _reply(self, template: MissTemplate, key: str, entry: Entry) -> tuple[Entry, VariantReply] | None:
        """The answer, and the entry as memory holds it now, in the coding of the answer; None where it is not known."""
        shape = template.found.shape_of(entry)
        known = template.found.find(shape)
        if known is None:
            return None
        coded: CodedBody | None = None
        if known.coding:
            entry = self._coded(template, key, entry, known)
            coded = entry.coded_in(known.coding)
            if coded is None:
                return None
        reply = known.reply(entry, shape, coded)
        return None if reply is None else (entry, reply)

    def _coded(self, template: MissTemplate, key: str, entry: Entry, known: FoundTemplate) -> Entry:
        """The entry with its form in the coding, kept with it or made now; without where that is for the pipeline."""
        compress, coding = template.route.compress, known.coding
        kept = entry.coded_in(coding)
        if len(entry.body) > compress.stream_over_bytes:
            return entry
        if kept is not None:
            if not kept.recompressed:
                self._recompression.consider(key, entry, coding, compress)
            return entry
        body = self._codec.encode_now(coding, compress.level, entry.body)
        if body is None or self._local is None or not self._store.attach(key, entry, CodedBody(coding, body)):
            return entry
        return self._local.get_local(key)[0]
