"""Plain integers, counted on every exchange and read on a scrape. Snapshots of several processes can be added."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

import msgspec

from veneer.observe.adding import add_to, summed
from veneer.observe.repeats import RecordTemplate
from veneer.pipeline.exchange import ExchangeRecord, Refusal

BOUNDS_MS = (
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1_000.0,
    2_500.0,
    5_000.0,
    10_000.0,
    30_000.0,
)
"""Upper bounds of the duration buckets: a hit takes less than the first, a hopeless wait more than the last."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"})
_OTHER = "other"
_MAX_ROUTES = 1_000
_CLASSES = 6


class Histogram(msgspec.Struct):
    """Durations: how many fell into each bucket of BOUNDS_MS (the last one is open), and their sum."""

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS_MS) + 1))
    sum_ms: float = 0.0

    def observe(self, duration_ms: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BOUNDS_MS, duration_ms)] += 1
        self.sum_ms += duration_ms

    def add(self, other: Histogram) -> None:
        """Count everything that another one counted."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.sum_ms += other.sum_ms


class RouteCounts(msgspec.Struct):
    """What happened on one route. `requests` is by method, then by the status' first digit."""

    requests: dict[str, list[int]] = {}
    cache: dict[str, int] = {}
    duration: Histogram = msgspec.field(default_factory=Histogram)
    upstream: Histogram = msgspec.field(default_factory=Histogram)
    rate_limited: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    bytes_saved: int = 0
    audits_same: int = 0
    audits_different: int = 0

    def audit(self, *, differs: bool) -> None:
        """Count one audit."""
        if differs:
            self.audits_different += 1
        else:
            self.audits_same += 1

    def add(self, other: RouteCounts) -> None:
        """Count everything that another one counted."""
        add_to(self, other)


class Counts(msgspec.Struct):
    """What happened in a process."""

    active: int = 0
    routes: dict[str, RouteCounts] = {}
    refused: dict[str, int] = {}
    tunnels: dict[str, int] = {}

    def add(self, other: Counts) -> None:
        """Count everything that another one counted."""
        for name, theirs in other.routes.items():
            self.route(name).add(theirs)
        add_to(self, other, but="routes")

    def route(self, name: str) -> RouteCounts:
        """The counts of one route. Beyond a thousand names (by reloads) further ones share "other"."""
        counts = self.routes.get(name)
        if counts is None:
            if len(self.routes) >= _MAX_ROUTES:
                name = _OTHER
            counts = self.routes.setdefault(name, RouteCounts())
        return counts

    def count(self, record: ExchangeRecord) -> None:
        """Count one exchange."""
        route = self.count_facts(record, 1)
        route.duration.observe(record.duration_ms)
        route.bytes_in += record.bytes_in
        route.bytes_out += record.bytes_out
        if record.bytes_identity:
            route.bytes_saved += record.bytes_identity - record.bytes_out
        if record.end is not None:
            self.tunnels[record.end.value] = self.tunnels.get(record.end.value, 0) + 1
        if record.upstream_ms is not None:
            route.upstream.observe(record.upstream_ms)

    def count_facts(self, what: ExchangeRecord | RecordTemplate, count: int) -> RouteCounts:
        """Count what exchanges and facts both tell, for so many exchanges; returns the route's counts."""
        route = self.routes.get(what.route) or self.route(what.route)
        method = what.method if what.method in _METHODS else _OTHER
        classes = route.requests.get(method)
        if classes is None:
            classes = route.requests[method] = [0] * _CLASSES
        digit = what.status // 100
        classes[digit if 0 < digit < _CLASSES else 0] += count
        use = what.cache.value
        route.cache[use] = route.cache.get(use, 0) + count
        if what.refused is not None:
            self.refused[what.refused.value] = self.refused.get(what.refused.value, 0) + count
            if what.refused is Refusal.RATE:
                route.rate_limited += count
        return route


class StoreGauges(msgspec.Struct, frozen=True):
    """One store as it stands: "l1" or "l2". None where a store cannot tell, or cannot have it.

    `hits` and `misses` are look-ups; what the fast path answers without one is counted with the exchanges.
    """

    store: str
    entries: int | None = None
    bytes: int | None = None
    bytes_most: int | None = None
    evictions: int | None = None
    hits: int = 0
    misses: int = 0
    errors: int | None = None


class Gauges(msgspec.Struct, frozen=True):
    """The rooms as they stand at the moment of a scrape. `lease_held` tells whether the lease is fresh.

    `flushes` are by reason (stores.flushes). `redis_states` has a 1 at the state Redis is in, and `redis_state_seconds`
    the time in each (redis.states).
    `redis_errors` is by part (store, log, rates), `log_dropped` by log, `rate_fallbacks` by what was done instead,
    `rate_batches` by who asked for them, `rate_batched` by what became of the requests in them, `key_set_fetches` and
    `subrequests` by what came of them. `clock_skew_s` is how far the clock is ahead of Redis', by node. Those of
    upstreams are by name.
    `upstream_targets` are by upstream, target and state, with tabs between; `upstream_retries` by whether the budget
    allowed them. `changes_lag_s` is by source and node, `changes_followers` by source and state, `changes_read` by
    source and what was read, `changes_gaps` by source and reason, each with a tab between.
    """

    stores: tuple[StoreGauges, ...] = ()
    lease_held: bool = True
    redis_errors: dict[str, int] = {}
    log_dropped: dict[str, int] = {}
    rate_fallbacks: dict[str, int] = {}
    rates_refused_locally: int = 0
    rate_calls: int = 0
    rate_batches: dict[str, int] = {}
    rate_batched: dict[str, int] = {}
    nodes_lost: int = 0
    flushes: dict[str, int] = {}
    redis_states: dict[str, int] = {}
    redis_state_seconds: dict[str, float] = {}
    clock_skew_s: dict[str, float] = {}
    rate_clients_forgotten: int = 0
    coded_anew: int = 0
    coded_anew_saved_bytes: int = 0
    key_set_fetches: dict[str, int] = {}
    subrequests: dict[str, int] = {}
    upstream_places: dict[str, int] = {}
    upstream_places_used: dict[str, int] = {}
    upstream_waiting: dict[str, int] = {}
    upstream_refused: dict[str, int] = {}
    upstream_targets: dict[str, int] = {}
    upstream_ejections: dict[str, int] = {}
    upstream_retries: dict[str, int] = {}
    changes_lag_s: dict[str, float] = {}
    changes_followers: dict[str, int] = {}
    changes_read: dict[str, int] = {}
    changes_gaps: dict[str, int] = {}


class Snapshot(msgspec.Struct):
    """Everything one process has to say; msgspec encodes it, so that a supervisor can collect and add."""

    counts: Counts
    gauges: Gauges


def merged(snapshots: Iterable[Snapshot]) -> Snapshot:
    """The sum over processes; the whole leads only where each does."""
    counts = Counts()
    gauges = Gauges()
    for snapshot in snapshots:
        counts.add(snapshot.counts)
        gauges = _sum_gauges(gauges, snapshot.gauges)
    return Snapshot(counts, gauges)


def remains(snapshot: Snapshot) -> Snapshot:
    """What stays of a process that has ended: all it counted, and nothing of what it held."""
    counts = Counts()
    counts.add(snapshot.counts)
    counts.active = 0
    gauges = snapshot.gauges
    stores = tuple(msgspec.structs.replace(store, entries=None, bytes=None, bytes_most=None) for store in gauges.stores)
    places = ("upstream_places", "upstream_places_used", "upstream_waiting")
    names = ("redis_states", "clock_skew_s", "changes_lag_s", "changes_followers", *places)
    nothing: dict[str, dict[str, int]] = {name: {} for name in names}
    return Snapshot(counts, msgspec.structs.replace(gauges, stores=stores, lease_held=True, **nothing))


def _sum_gauges(one: Gauges, other: Gauges) -> Gauges:
    held = {gauge.store: gauge for gauge in one.stores}
    for gauge in other.stores:
        held[gauge.store] = summed(held[gauge.store], gauge) if gauge.store in held else gauge
    names = [name for name in one.__struct_fields__ if name != "stores"]
    rooms = {name: summed(getattr(one, name), getattr(other, name)) for name in names}
    return Gauges(stores=tuple(held.values()), **rooms)
