"""What one request brings with it, and the services its steps use."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from veneer.core.entry import Entry
from veneer.core.field_edits import NO_EDITS
from veneer.core.forwarding import Peer
from veneer.core.key import preflight_digest
from veneer.core.messages import RequestHead, ResponseHead
from veneer.core.record import fast_struct
from veneer.core.sharing import told_cookies
from veneer.core.trace import TraceParent
from veneer.limits.inflight import InFlight
from veneer.loop.tasks import Tasks
from veneer.pipeline.answer import Answer
from veneer.pipeline.coalesce import Flights
from veneer.pipeline.content import Budget
from veneer.pipeline.cors import CorsMemory
from veneer.pipeline.exchange import Recorder
from veneer.pipeline.searches import NoVarySearchHints
from veneer.policy.model import CompressRules, Match, Policy, Route
from veneer.ports import (
    Client,
    Clock,
    Codec,
    EntryStore,
    FetchLocks,
    Identities,
    InvalidationLog,
    NoIdentities,
    RateStore,
    Upstream,
)
from veneer.stores.fetch_locks import LocalLocks


@dataclass(frozen=True, slots=True)
class ServedHit:
    """A fresh stored response as it left: what a quicker way may repeat while nothing has changed.

    `coding` names the body that went with the head ("" the stored one), None where none did. `length` is the body's.
    """

    entry: Entry
    key: str
    age_s: float
    ttl_s: float
    head: ResponseHead
    length: int
    coding: str | None


class FastPathLearner(Protocol):
    """A quicker way for hits. It may learn from what the pipeline served, and decides nothing by itself."""

    def learn(self, exchange: Exchange, served: ServedHit) -> None:
        """See a hit that was served."""
        ...

    def learn_miss(self, exchange: Exchange, answer: Answer, head: ResponseHead, length: int, coding: str) -> None:
        """See a miss answered with what the backend sent: the head as it left, the body's length, and its coding.

        The coding is "" where this proxy has made none.
        """
        ...

    def learn_passed(self, exchange: Exchange, answer: Answer, head: ResponseHead, length: int | None) -> None:
        """See an answer whose body passed as it came: the head as it left, and the body's length, None if unknown."""
        ...

    def learn_refusal(self, exchange: Exchange) -> None:
        """See a request that its rate refused."""
        ...


class NoHitMemory:
    """Learns nothing: every hit takes the whole way."""

    def learn(self, exchange: Exchange, served: ServedHit) -> None:
        """Forget it."""

    def learn_miss(self, exchange: Exchange, answer: Answer, head: ResponseHead, length: int, coding: str) -> None:
        """Forget it."""

    def learn_passed(self, exchange: Exchange, answer: Answer, head: ResponseHead, length: int | None) -> None:
        """Forget it."""

    def learn_refusal(self, exchange: Exchange) -> None:
        """Forget it."""


class Recompression(Protocol):
    """Makes the coded bodies smaller that are asked for again and again."""

    def consider(self, key: str, entry: Entry, coding: str, rules: CompressRules) -> None:
        """See a coded body that was asked for a second time."""
        ...


class NoRecompression:
    """Leaves coded bodies as they are."""

    def consider(self, key: str, entry: Entry, coding: str, rules: CompressRules) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class Services:
    """The rooms below, as the pipeline sees them. One per process.

    `via` is the proxy's name in responses. In requests it is `instance`, which no other process has, so that one that
    comes back is known.
    """

    clock: Clock
    store: EntryStore
    log: InvalidationLog
    rates: RateStore
    codec: Codec
    upstreams: Mapping[str, Upstream]
    recorder: Recorder
    tasks: Tasks
    flights: Flights = field(default_factory=Flights)
    identities: Identities = field(default_factory=NoIdentities)
    locks: FetchLocks = field(default_factory=LocalLocks)
    searches: NoVarySearchHints = field(default_factory=NoVarySearchHints)
    via: str = "veneer"
    instance: str = field(default_factory=lambda: f"veneer-{secrets.token_hex(6)}")
    in_flight: InFlight = field(default_factory=lambda: InFlight(None))
    hits: FastPathLearner = field(default_factory=NoHitMemory)
    recompression: Recompression = field(default_factory=NoRecompression)
    cors: CorsMemory = field(default_factory=CorsMemory)
    budget: Budget = field(default_factory=lambda: Budget(64 * 1024 * 1024))


@fast_struct
class Exchange:
    """One request as it came in: everything its steps may know, nothing they change.

    `received` is in seconds since the epoch, `started_s` on the monotonic clock. `peer` is who connected to us,
    `client_ip` who that peer speaks for when it is a trusted proxy. `trace` is the exchange's place in a trace,
    `trace_parent_id` its parent's span where the span is the proxy's own.
    """

    request: RequestHead
    client: Client
    policy: Policy
    match: Match
    request_id: str
    peer: Peer
    client_ip: str
    received: float
    started_s: float
    trace: TraceParent | None = None
    trace_parent_id: str = ""


def edited_request(exchange: Exchange) -> RequestHead:
    """The request with the fields that its route lets it have."""
    request, changes = exchange.request, exchange.match.route.request
    return request if changes is NO_EDITS else request.with_fields(changes.apply(request.fields))


def cache_request(exchange: Exchange) -> RequestHead:
    """The request as the cache and the backend see it.

    Where this proxy codes responses itself the backend is asked for the uncoded form, so that one stored body serves
    every client. A POST that the route declares to be a query is one to the cache, and so is a preflight that the route
    keeps.
    """
    route = exchange.match.route
    request = exchange.request if route.request is NO_EDITS else edited_request(exchange)
    if request.method != "GET" and _counts_as_query(request, route):
        request = replace(request, method="QUERY")
    if route.cache.enabled and "cookie" in request.fields.joined:
        request = request.with_fields(told_cookies(request.fields, route.cache.cookies))
    if route.compress.enabled and "accept-encoding" in request.fields.joined:
        return request.with_fields(request.fields.without(("accept-encoding",)))
    return request


def _counts_as_query(request: RequestHead, route: Route) -> bool:
    if request.method == "POST":
        return route.post_as_query
    return request.method == "OPTIONS" and route.preflight_s is not None and preflight_digest(request) is not None
