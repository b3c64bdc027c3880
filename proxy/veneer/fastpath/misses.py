"""The fast path's way for misses: requests are sent on at once, and answered as others like them were."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Protocol

from veneer.core.codings import CODINGS
from veneer.core.entry import Entry
from veneer.core.key import flight_key, key_within, normalised_query
from veneer.core.messages import ResponseHead
from veneer.core.negotiation import RECOMPRESSED_SUFFIX
from veneer.core.rate import RateVerdict
from veneer.core.target import normal_target
from veneer.core.validators import OWN_MARK, make_etag
from veneer.fastpath.miss import MAX_BODY_BYTES, FastMiss
from veneer.fastpath.miss_client import MissClient
from veneer.fastpath.pattern import Values
from veneer.fastpath.replies import PRIVATE, ResponseTemplate, response_template
from veneer.fastpath.scan import HeadShape
from veneer.fastpath.ways import UpstreamTemplate, upstream_template
from veneer.http1.framing import BodyFraming, FramingFacts
from veneer.http1.grammar import HEAD_END, MAX_PLAIN_HEAD_BYTES
from veneer.http1.serialise import serialise
from veneer.observe.repeats import RecordTemplate
from veneer.pipeline.answer import Answer
from veneer.pipeline.coalesce import Flight
from veneer.pipeline.context import Exchange, Services
from veneer.pipeline.exchange import CacheResult
from veneer.policy.model import Policy, Route
from veneer.ports import LeaseState

if TYPE_CHECKING:
    from veneer.fastpath.conversation import FastPathConnection
    from veneer.server.link import ConnectionHandle

_HELD: Final = LeaseState.HELD  # to look a member of an Enum up runs Python
_LENGTH_OR_CHUNKED: Final = re.compile(rb"\r\n(?i:content-length: *(\d{1,18})|transfer-encoding:)")
_CODED_END: Final = f'-(?:{"|".join(CODINGS)}){re.escape(RECOMPRESSED_SUFFIX)}?"'
_OURS: Final = re.compile(f"{re.escape(OWN_MARK)}|{_CODED_END}".encode())
"""Part of every entity tag that this proxy made, or made of the origin's."""

MAX_WAYS: Final = 4096
"""Ways remembered at most: shapes times routes times client addresses."""
MAX_STREAMED: Final = 512
"""Targets remembered at most whose responses are never answered here."""


class Pipeline(Protocol):
    """What the fast path needs of the normal way."""

    def sample(self, data: bytes, link: ConnectionHandle, request_id: str) -> Exchange | None:
        """The exchange that the normal way would make of a request; None where it would refuse that."""
        ...

    def take_over(self, miss: FastMiss) -> None:
        """Answer what the fast path has sent on, from the response on."""
        ...


class MissFastPath:
    """Sends on what is certainly not stored, where nobody has to be waited for.

    Everything decided about such a request is decided by the pipeline's functions, or was by the pipeline for one like
    it; what the fast path finds unusual, the pipeline takes over where it stands.
    """

    def __init__(self, services: Services, pipeline: Pipeline) -> None:
        self._services = services
        self._log = services.log
        self._rates = services.rates
        self._recorder = services.recorder
        self._in_flight = services.in_flight
        self._flights = services.flights
        self._searches = services.searches
        self._alone = services.locks.alone
        self._monotonic = services.clock.monotonic
        self._pipeline = pipeline
        self._store = services.store.local
        self._ways: dict[tuple[HeadShape, str, str], UpstreamTemplate | None] = {}
        self._streamed: dict[bytes, None] = {}
        self._now = services.clock.now

    def __len__(self) -> int:
        return len(self._ways)

    def renew(self) -> None:
        """Begin anew under another policy."""
        self._ways.clear()
        self._streamed.clear()

    def send(
        self, talk: FastPathConnection, policy: Policy, shape: HeadShape, values: Values, data: bytes, request_id: bytes
    ) -> bool:
        """Send the request on, or refuse it for its rate; False, and nothing done, when it has to go the normal way."""
        if self._log.lease_state() is not _HELD or self._in_flight.full:
            return False
        now_s = self._monotonic()
        miss = self._miss(talk, policy, shape, values, data, request_id, now_s)
        lease = None if miss is None else miss.way.upstream.lease_now(now_s)
        if miss is None or lease is None:
            return False
        limit = miss.way.limit
        rate: RateVerdict | None = None
        if limit is not None:
            rate = self._rates.admit_now(talk.rate_key(miss.way.counted_as, limit), limit, now_s)
            if rate is None or not rate.allowed:
                lease.give_back()
                if rate is not None:
                    talk.refuse(
                        talk.fastpath.refusal_facts("GET", miss.match.route.name),
                        shape,
                        values[0],
                        request_id,
                        now_s,
                        rate,
                    )
                return rate is not None
        self._recorder.begin()
        self._in_flight.take()
        talk.link.reserve_for(miss)
        flight = self._flights.open(miss.group) if miss.shares else Flight(miss.group)
        miss.send(lease, flight, rate, self._log.position, self._now(), now_s, values)
        return True

    def _miss(
        self,
        talk: FastPathConnection,
        policy: Policy,
        shape: HeadShape,
        values: Values,
        data: bytes,
        request_id: bytes,
        now_s: float,
    ) -> FastMiss | None:
        """What to send for the request; None where something stored, or somebody else's fetch, may answer it."""
        raw = values[0]
        target = normal_target(raw)
        if target is None or raw in self._streamed or len(raw) > policy.limits.target_bytes:
            return None
        path, query = target
        asked_about = shape.if_none_match
        if asked_about and _OURS.search(values[asked_about]):
            return None  # the origin is asked about other tags than these
        match = policy.match("GET", path, query)
        way = self._way(talk, shape, match.route, values, data, request_id)
        if way is None:
            return None
        wanted, rules = way.wanted(path, query), match.route.cache
        key = key_within(way.key_frame, path, normalised_query(query, rules.key, self._searches.of(wanted)))
        stored = rules.enabled and (self._store is None or self._store.get_local(key))
        varies = self._flights.varies(key)
        if stored or (varies and not way.tells_names(varies)):
            return None
        miss = FastMiss(talk, way, match, wanted, key, data, request_id)
        miss.group = group = flight_key(key, wanted, rules, varies)
        if way.coalesces and not self._flights.is_uncacheable(group, now_s):
            if not self._alone or self._flights.join(group) is not None:
                return None  # it would have to wait for another, here or at another node
            miss.shares = True
        return miss

    def _way(
        self, talk: FastPathConnection, shape: HeadShape, route: Route, values: Values, data: bytes, request_id: bytes
    ) -> UpstreamTemplate | None:
        way = talk.way
        if way is not None and way.shape is shape and way.route is route:
            return way
        known = (shape, route.name, talk.address)
        if known in self._ways:
            way = self._ways[known]
        else:
            sample = self._pipeline.sample(data, talk.link, request_id.decode("ascii"))
            way = None if sample is None else upstream_template(self._services, sample, shape, values)
            if len(self._ways) >= MAX_WAYS:
                self._ways.clear()
            self._ways[known] = way
        talk.way = way
        return way

    def pass_on(self, miss: FastMiss) -> None:
        """Leave the rest to the pipeline; the next time from the beginning, where the response does not come whole."""
        if _streams(miss.offered):
            if len(self._streamed) >= MAX_STREAMED:
                self._streamed.clear()
            self._streamed[miss.target] = None
        self._pipeline.take_over(miss)

    def keep(self, miss: FastMiss, entry: Entry, *, may_share: bool) -> None:
        """Store what was fetched; `may_share` tells whether it was worth while to wait for it."""
        assert self._store is not None
        self._store.keep(miss.key, (entry,))
        if may_share:
            self._flights.mark_cacheable(miss.group)
        else:
            self._flights.mark_uncacheable(miss.group, self._monotonic())

    def over(self, miss: FastMiss, reply: ResponseTemplate) -> None:
        """The miss has been answered."""
        if miss.shares:
            self._flights.close(miss.flight)
        if reply.remembered and miss.way.coalesces:
            self._flights.mark_uncacheable(miss.group, self._monotonic())
        self._in_flight.give_back()
        miss.talk.link.over(keep_alive=True)

    def learn(self, exchange: Exchange, answer: Answer, head: ResponseHead, length: int) -> None:
        """See how the pipeline has answered a miss: the next response like this one is answered so here."""
        client, cache = exchange.client, answer.cache
        if not isinstance(client, MissClient) or head.status != 200:
            return
        detail = cache.detail or ""
        if answer.use is not CacheResult.MISS or cache.collapsed or cache.forward is None:
            return
        if not (cache.stored or detail in PRIVATE):
            return
        miss, wire = client.miss, FramingFacts("GET", (1, 1), keep_alive=True)
        served = serialise(head, wire, BodyFraming.LENGTH, length)
        facts = RecordTemplate(
            "GET",
            exchange.match.route.name,
            200,
            cache=CacheResult.MISS,
            cache_forward=cache.forward.value,
            cache_reason=detail,
        )
        etag = make_etag(miss.offered.partition(HEAD_END)[2]).encode("ascii")
        reply = response_template(miss.offered, served, facts, "" if cache.stored else detail, etag)
        if reply is not None:
            miss.way.replies.learn(reply)


def _streams(raw: bytes) -> bool:
    """Whether a response that begins so is chunked, or longer than what is answered here."""
    found = _LENGTH_OR_CHUNKED.search(raw, 0, raw.find(HEAD_END, 0, MAX_PLAIN_HEAD_BYTES) + 1)
    return found is not None and (found[1] is None or int(found[1]) > MAX_BODY_BYTES)
