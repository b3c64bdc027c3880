"""The fast path's way for misses: requests are sent on at once, and answered as others like them were."""

from __future__ import annotations

from functools import partial
from typing import Final

from veneer.core.invalidation import Validity
from veneer.core.key import flight_key, key_frame, key_within, normalised_query
from veneer.core.messages import ResponseHead
from veneer.core.target import normal_target
from veneer.core.validators import make_etag
from veneer.fastpath.exchange import FastRequest
from veneer.fastpath.flight import FastFlight
from veneer.fastpath.found import HELD, FoundHits
from veneer.fastpath.handoff import MissClient
from veneer.fastpath.hot_entries import HotEntry
from veneer.fastpath.identified import FastIdentifier
from veneer.fastpath.miss import FastMiss, MissServices, Pipeline
from veneer.fastpath.miss_templates import MissTemplate, miss_template
from veneer.fastpath.replies import PRIVATE, AnsweredMiss
from veneer.fastpath.template_cache import TemplateCache
from veneer.http1.framing import BodyFraming, FramingFacts
from veneer.http1.grammar import HEAD_END
from veneer.http1.serialise import serialise
from veneer.observe.repeats import RecordTemplate
from veneer.pipeline.answer import Answer
from veneer.pipeline.context import Exchange, Services
from veneer.pipeline.exchange import CacheResult
from veneer.policy.model import Policy
from veneer.ports import LocalStore

DEAD: Final = Validity.DEAD  # to look a member of an Enum up runs Python
_ASKED: Final = (CacheResult.MISS, CacheResult.BYPASS)


class MissFastPath:
    """Sends on what is certainly not stored, where no other fetch has to be waited for.

    Everything decided about such a request is decided by the pipeline's functions, or was by the pipeline for one like
    it; what the fast path finds unusual, the pipeline takes over where it stands.
    """

    def __init__(self, services: Services, pipeline: Pipeline, found: FoundHits) -> None:
        self._log = services.log
        self._searches = services.searches
        self._identifier = FastIdentifier(services)
        self._shared = MissServices(services, pipeline, found)
        self._templates = TemplateCache[MissTemplate](pipeline, partial(miss_template, services))

    def __len__(self) -> int:
        return len(self._templates)

    def reset(self) -> None:
        """Begin anew under another policy."""
        self._templates.clear()
        self._shared.streaming_targets.clear()

    def prepare(self, request: FastRequest, last: MissTemplate | None, policy: Policy, now_s: float) -> FastMiss | None:
        """What to send for the request; None where somebody else's fetch may answer it, or the pipeline.

        `last` is the template of the connection's last miss, most often that of this one too.
        """
        shared, raw = self._shared, request.values[0]
        if self._log.lease_state() is not HELD or shared.in_flight.full:
            return None
        target = normal_target(raw)
        if target is None or raw in shared.streaming_targets or len(raw) > policy.limits.target_bytes:
            return None
        path, query = target
        found = policy.matcher.match("GET", path, query)
        match = self._identifier.identified(policy, found, request.shape, request.values)
        template = None if match is None else self._templates.template(request, match, found.route, last)
        if template is None or match is None:
            return None
        wanted, rules = template.wanted(path, query), match.route.cache
        frame = template.key_frame if rules.scope is None else key_frame(wanted, rules)
        search = None if query is None else self._searches.of(wanted)
        key = key_within(frame, path, normalised_query(query, rules.key, search))
        miss = FastMiss(shared, request, template, match, wanted, key)
        return miss if self._may_send(miss, now_s) else None

    def _may_send(self, miss: FastMiss, now_s: float) -> bool:
        """Whether the miss may be sent once the shared store, where there is one, has nothing either.

        Where memory has it nothing is sent; that is looked at first (`hot_entry`).
        """
        shared, template, key = self._shared, miss.template, miss.key
        store, flights, rules = shared.local_store, shared.flights, miss.match.route.cache
        varies = flights.varies(key)
        if varies and not template.covers(varies):
            return False
        if rules.enabled:
            found = Validity.SOFT if store is None else self._validity(store, key)
            if store is None or found is not DEAD:
                miss.is_stored = miss.waits_first = found is Validity.VALID
                return miss.is_stored
            beyond = shared.beyond
            if beyond is not None and not template.covers(beyond.vary_names):
                return False
            miss.waits_first = beyond is not None
        miss.group = group = flight_key(key, miss.wanted, rules, varies)
        if template.coalesces and not flights.is_uncacheable(group, now_s):
            miss.coalesces = True
            flight = flights.join(group)
            if isinstance(flight, FastFlight):
                miss.follows, miss.waits_first = flight, True
            return flight is None or miss.follows is not None  # one of the pipeline's is waited for there
        return True

    def hot_entry(self, miss: FastMiss, now_s: float) -> HotEntry | None:
        """What answers the request from memory, and others like it from now on; None where that is for the pipeline."""
        return self._shared.found.hot_entry(miss, miss.template, miss.key, now_s)

    def _validity(self, store: LocalStore, key: str) -> Validity:
        """What the log says of what memory has: DEAD of nothing, SOFT of more than one response."""
        log, found = self._log, DEAD
        for entry in store.get_local(key):
            validity = log.validity(entry)
            if validity is not DEAD:
                found = validity if found is DEAD else Validity.SOFT
        return found

    def learn(self, exchange: Exchange, answer: Answer, head: ResponseHead, length: int, coding: str) -> None:
        """See how the pipeline has answered a miss: the next response like this one is answered so here."""
        client, cache = exchange.client, answer.cache
        if not isinstance(client, MissClient) or head.status != 200:
            return
        miss, detail, collapsed = client.miss, cache.detail or "", answer.use is CacheResult.COLLAPSED
        raw = miss.followed_bytes if collapsed else miss.first_bytes
        if not raw or cache.forward is None or cache.collapsed is not collapsed:
            return
        asked = answer.use in _ASKED and (cache.stored or detail in PRIVATE)
        if not (cache.stored if collapsed else asked):
            return
        wire = FramingFacts("GET", (1, 1), keep_alive=True)
        served = serialise(head, wire, BodyFraming.LENGTH, length)
        facts = RecordTemplate(
            "GET",
            exchange.match.route.name,
            200,
            coding,
            cache=answer.use,
            cache_forward=cache.forward.value,
            cache_reason=detail,
            scheme=exchange.request.scheme,
        )
        refusal, etag = "" if cache.stored else detail, make_etag(raw.partition(HEAD_END)[2])
        replies = miss.template.collapsed if collapsed else miss.template.replies
        replies.learn(AnsweredMiss(raw, served, refusal, etag), facts)
