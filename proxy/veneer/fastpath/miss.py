"""One request that the fast path has sent to the backend, until it is answered here or by the pipeline."""

from __future__ import annotations

from typing import Final, Protocol

from veneer.core.entry import CodedBody, Entry
from veneer.core.forwarding import AGE_DELAY_S
from veneer.core.messages import RequestHead, ResponseHead
from veneer.core.rate import RateVerdict
from veneer.core.reuse import Hit, decide
from veneer.core.storability import NotStorable, Storable, storage_terms
from veneer.core.validators import make_etag
from veneer.fastpath.exchange import FastExchange, FastRequest
from veneer.fastpath.flight import FastFlight
from veneer.fastpath.found import HELD, FoundHits
from veneer.fastpath.miss_templates import MissTemplate
from veneer.fastpath.replies import FoundReply, ResponseTemplate
from veneer.fastpath.response_shapes import MAX_BODY_BYTES, streams
from veneer.fastpath.template_cache import SampleSource
from veneer.pipeline.coalesce import Complete
from veneer.pipeline.context import Services
from veneer.pipeline.made import FetchTimes, entry_of_head, judge_alike
from veneer.policy.model import Match
from veneer.ports import FetchLock, LeasedConnection, LockAttempt, SentTo

MAX_STREAMING_TARGETS: Final = 512
"""Targets remembered at most whose responses are never answered here."""


class Pipeline(SampleSource, Protocol):
    """What the fast path needs of the normal way."""

    def restart(self, miss: FastMiss) -> None:
        """Answer what the fast path has admitted and not sent: from the flight on that it follows, or the look-up.

        A flight may be over by then; it is left at the end.
        """
        ...

    def resume(self, miss: FastMiss) -> None:
        """Answer what the fast path has sent on, from the response on."""
        ...


class MissServices:
    """What all misses have to do with: the store, the flights, the bound on what is in flight, and the pipeline."""

    def __init__(self, services: Services, pipeline: Pipeline, found: FoundHits) -> None:
        self.found = found
        self.log = services.log
        self.recorder = services.recorder
        self.codec = services.codec
        self.flights = services.flights
        self.in_flight = services.in_flight
        self.local_store = store = services.store.local
        self.beyond = None if store is None else store.beyond
        self.locks = services.locks
        self.monotonic = services.clock.monotonic
        self.now = services.clock.now
        self.pipeline = pipeline
        self.streaming_targets: dict[bytes, None] = {}


class FastMiss(FastExchange):
    """A request for what is not stored.

    `coalesces` tells whether others may wait for the response; `group` is the key of its `flight`. `born` is the log's
    position before the request was sent, at `sent_s` (monotonic).
    Where it looks into the shared store first the fetch lock, `attempt`, is taken along; nothing is `sent` before that
    has answered. What `is_stored` in memory already is answered by the pipeline, which teaches how. Where it `follows`
    the flight of another miss, what that brings answers it too.
    """

    __slots__ = (
        "_services",
        "attempt",
        "born",
        "coalesces",
        "flight",
        "follows",
        "group",
        "is_stored",
        "key",
        "may_share",
        "sent",
        "sent_s",
        "template",
    )

    def __init__(
        self,
        services: MissServices,
        request: FastRequest,
        template: MissTemplate,
        match: Match,
        wanted: RequestHead,
        key: str,
    ) -> None:
        super().__init__(request, template, match, wanted)
        self._services = services
        self.template: Final = template
        self.key: Final = key
        self.group = key
        self.coalesces = False
        self.attempt: LockAttempt | None = None
        self.follows: FastFlight | None = None
        self.may_share = False
        self.sent = False
        self.is_stored = False

    @property
    def followed_bytes(self) -> bytes:
        """The response, as it came, that another's flight has brought for this; empty where there is none."""
        return b"" if self.follows is None else self.follows.raw

    @property
    def target(self) -> str:
        """As `FastExchange`; of what another's flight has answered, where that went."""
        outcome = None if self.follows is None else self.follows.outcome
        if not isinstance(outcome, Complete):
            return self.lease.target
        return "" if outcome.sent_to is None else outcome.sent_to.target

    def wait_first(self, rate: RateVerdict | None, started_s: float) -> None:
        """Wait for the flight that it follows; else ask the shared store, and then the backend."""
        services = self._services
        services.recorder.begin()
        services.in_flight.take()
        self.begin(rate, started_s, services.now())
        if self.follows is not None:
            self._follow(self.follows)
            return
        if self.is_stored:
            self._restart()
            return
        if self.coalesces:
            self.attempt = services.locks.attempt(self.key, self.group)
        beyond = services.beyond
        assert beyond is not None
        beyond.look(self.key, self.wanted, self.match.route.cache, self.attempt, self._looked)

    def _looked(self, found: bool) -> bool:
        """Answer with what the shared store has, or send what it has not, if all is as certain as it was.

        Else the pipeline goes on, from another look-up: whether it does.
        """
        if self.client_gone:
            return True
        again = not self._answer_found() if found else not self._send_missing()
        if again:
            self._restart()
        return again

    def _answer_found(self) -> bool:
        services = self._services
        if not services.found.answer(self, self.template, self.key):
            return False
        if self.attempt is not None:
            self.attempt.drop()
        self._done()
        return True

    def _done(self) -> None:
        """It is answered: the place goes to another, and the connection takes the next request."""
        self._services.in_flight.give_back()
        self.connection.exchange_done(keep_alive=True)

    def _follow(self, flight: FastFlight) -> None:
        """Wait for what another's flight brings."""
        self.follows = flight
        flight.call_when_over(self._flight_over, self.match.route.coalesce_wait_s)

    def _flight_over(self) -> None:
        """Answer with what the flight has brought, where that is clear, else wait for it in the pipeline."""
        flight = self.follows
        if flight is None or self.client_gone:
            return
        if self._answer_collapsed(flight):
            flight.leave()
            self._done()
        else:
            self._restart()

    def _answer_collapsed(self, flight: FastFlight) -> bool:
        """Answer with what another's flight has stored, if it would have been a hit, had it been stored before."""
        services, outcome = self._services, flight.outcome
        if not isinstance(outcome, Complete) or not outcome.may_share or not flight.raw:
            return False
        if self.connection.is_last or services.log.lease_state() is not HELD:
            return False
        entry, rules = outcome.entry, self.match.route.cache
        stored = [(entry, services.log.validity(entry))]
        found = self.template.collapsed.find(flight.raw)
        if found is None or not isinstance(decide(self.wanted, stored, rules, services.now()), Hit):
            return False
        coding, body = found.template.coding, entry.body
        kept = entry.coded_in(coding) if coding else None
        sent = body if not coding else self._coded(coding, body) if kept is None else kept.body
        if sent is None:
            return False
        self._answer(found, body, sent, entry, int(outcome.upstream_ms * 1000 + 0.5))
        return True

    def _send_missing(self) -> bool:
        services, attempt = self._services, self.attempt
        lease: LeasedConnection | None = None
        now_s = services.monotonic()
        certain = services.log.lease_state() is HELD and not self.connection.is_last
        flight = None if attempt is None else services.flights.join(self.group)
        if certain and isinstance(flight, FastFlight) and attempt is not None:  # begun since this has looked
            attempt.drop()
            self._follow(flight)
            return True
        if certain and flight is None:
            lease = self.template.upstream.lease_now(now_s, self.template.route.claim)
        if lease is None:
            return False
        lock = None if attempt is None else services.locks.taken(attempt)
        if attempt is not None and lock is None:
            lease.give_back()
            return False
        self.received = services.now()
        self._ask(lease, now_s, lock)
        return True

    def _restart(self) -> None:
        if self.attempt is not None:
            self.attempt.drop()
        self._services.pipeline.restart(self)

    def send(self, lease: LeasedConnection, rate: RateVerdict | None, started_s: float) -> None:
        """Ask the backend, now that the rate admits it."""
        services = self._services
        services.recorder.begin()
        services.in_flight.take()
        self.begin(rate, started_s, services.now())
        self._ask(lease, started_s, None)

    def _ask(self, lease: LeasedConnection, now_s: float, lock: FetchLock | None) -> None:
        """Send the request over the lease, in this fetch lock."""
        services, request, template = self._services, self.request, self.template
        self.sent = True
        self.flight = flight = FastFlight(self.group)
        flight.lock = lock
        if self.coalesces:
            services.flights.begin(flight)
        self.born = services.log.position
        self.sent_s = now_s
        self.lease = lease
        lease.send(template.head(request.values, request.request_id), self, template.read_timeout_s)

    def leave(self) -> None:
        """The client has gone. The fetch goes on, unless it has to give way: what it brings may be stored."""
        gone, self.client_gone = self.client_gone, True
        if not self.sent:
            if not gone:
                self._restart()
            return
        self.flight.asker_left()
        self.lease.watch(self.flight)

    def ended(self) -> bool:
        """The client sends no more, and may have gone: the fetch gives way to others, and the pipeline answers."""
        if self.sent:
            self.flight.asker_left()
            self.lease.watch(self.flight)
        return True

    def cancel(self) -> None:
        """The proxy stops and waits no longer."""
        if self.sent:
            self.lease.abort()
        else:
            self.leave()

    def pass_on(self) -> None:
        """Leave the rest to the pipeline; the next time from the beginning, where the response does not come whole."""
        services = self._services
        self.flight.let_go()  # they wait for the same flight there
        targets = services.streaming_targets
        if streams(self.first_bytes):
            if len(targets) >= MAX_STREAMING_TARGETS:
                targets.clear()
            targets[self.request.values[0]] = None
        services.pipeline.resume(self)

    def take(self, raw: bytes) -> bool:
        """Answer, if the response is whole and like one that was answered before."""
        self.first_bytes = raw
        services = self._services
        now_s = services.monotonic()
        # what this has learned to say does not tell the client that its connection ends
        if self.client_gone or self.connection.is_last or now_s - self.sent_s >= AGE_DELAY_S:
            return False
        found = self.template.replies.find(raw)
        if found is None or not self._is_whole(found) or (not found.template.stores and self.flight.awaited):
            return False
        body = raw[len(raw) - found.came_bytes :]
        sent = body if not found.template.coding else self._coded(found.template.coding, body)
        if sent is None:
            return False
        entry: Entry | None = None
        if found.template.stores:
            entry = self._stored(found, body, sent)
            if entry is None:
                return False
        upstream_us = int((now_s - self.sent_s) * 1e6 + 0.5)
        self._answer(found, body, sent, entry, upstream_us)
        if self.coalesces:
            self._end_flight(entry, raw, upstream_us)
        if entry is not None:
            entry.drop_derived()  # it may never be asked for again
        if found.template.remembered and self.template.coalesces:
            services.flights.remember_uncacheable(self.group, services.monotonic())
        self._done()
        return True

    def _end_flight(self, entry: Entry | None, raw: bytes, upstream_us: int) -> None:
        """Let the next request for the same start another, and tell those who wait what was stored."""
        flight, target = self.flight, self.lease.target
        self._services.flights.close(flight)
        if flight.lock is not None:
            self._release(flight.lock, entry)
        if entry is not None and flight.awaited:
            sent_to = SentTo(target, 1) if target else None
            flight.share(Complete(entry, entry, True, self.may_share, upstream_us / 1000, sent_to=sent_to), raw)

    def _release(self, lock: FetchLock, entry: Entry | None) -> None:
        """Give the fetch lock back, where the store has not."""
        self.flight.lock = None
        varies = [name for name, _ in entry.vary] if entry is not None else []
        lock.release(stored=entry is not None, varies=varies)

    def _is_whole(self, found: FoundReply) -> bool:
        """Whether a body that may be answered here is all there, and followed by nothing."""
        size = found.came_bytes
        most = min(MAX_BODY_BYTES, self.template.route.cache.max_body_bytes)
        return 0 < size <= most and found.values[found.shape.length] == b"%d" % size

    def _coded(self, coding: str, body: bytes) -> bytes | None:
        """The body as it leaves in the coding; None where the pipeline codes it."""
        compress = self.template.route.compress
        if len(body) > compress.stream_over_bytes:
            return None
        return self._services.codec.encode_now(coding, compress.level, body)

    def _answer(self, found: FoundReply, body: bytes, sent: bytes, entry: Entry | None, upstream_us: int) -> None:
        """Answer with the body as it is `sent`."""
        reply, shape, values, _ = found
        if reply.makes_etag:
            etag = make_etag(body) if entry is None else entry.fields.joined["etag"]
        else:
            etag = "" if shape.etag < 0 else values[shape.etag].decode("ascii")
        values.append(reply.etag_of(etag))
        self.request.answering.answer_sent(self, reply, values, sent, len(body) if reply.coding else 0, upstream_us)

    def _stored(self, found: FoundReply, body: bytes, sent: bytes) -> Entry | None:
        """The response once it is stored, with the body that is `sent`; None where it may not be, as one like it was.

        It is remembered whether it was worth while to wait for it.
        """
        services = self._services
        head = ResponseHead(200, found.shape.reason, found.shape.fields(found.values))
        now = services.now()
        verdict = self._judged(found.template, head, now)
        if verdict is None:
            return None
        times = FetchTimes(self.received, now, self.born)
        coding = found.template.coding
        coded = (CodedBody(coding, sent),) if coding else ()
        entry = entry_of_head(self.wanted, self.match, head, verdict, body, times, coded)
        store = services.local_store
        assert store is not None
        store.put_now(self.key, entry, verdict.keep_s, self.flight.lock)
        self.may_share = verdict.may_share
        if verdict.may_share:
            services.flights.forget_uncacheable(self.group)
        else:
            services.flights.remember_uncacheable(self.group, services.monotonic())
        return entry

    def _judged(self, reply: ResponseTemplate, head: ResponseHead, now: float) -> Storable | None:
        """How the response may be stored, if it may: on the terms of one like it, where they hold for all alike."""
        rules, terms = self.match.route.cache, reply.terms
        if terms is None:
            found = storage_terms(self.wanted, head, rules, now)
            if isinstance(found, NotStorable) or found.span is not None:
                return None
            if found.vary and not self.template.covers([name for name, _ in found.vary]):
                return None
            terms = found
            if not terms.depends_on_dates:
                reply.terms = terms
        verdict = judge_alike(terms, rules, head, self.received, now)
        return verdict if isinstance(verdict, Storable) else None
