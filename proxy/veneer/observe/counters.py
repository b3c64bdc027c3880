"""Plain integers, counted on every exchange and read on a scrape. Snapshots of several processes can be added."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from veneer.observe.adding import add_to, summed
from veneer.observe.gauges import HELD, Gauges
from veneer.observe.histogram import Histogram
from veneer.observe.repeats import RecordTemplate
from veneer.pipeline.exchange import ExchangeRecord, Refusal

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"})
_OTHER = "other"
_MAX_ROUTES = 1_000
_CLASSES = 6


class RouteCounts(msgspec.Struct):
    """What happened on one route. `requests` is by method, then by the status' first digit.

    `durations` are by what the cache did, as `cache` is: the p99 of hits says nothing of that of misses.
    """

    requests: dict[str, list[int]] = {}
    cache: dict[str, int] = {}
    durations: dict[str, Histogram] = {}
    upstream: Histogram = msgspec.field(default_factory=Histogram)
    rate_limited: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    bytes_saved: int = 0
    audits_same: int = 0
    audits_different: int = 0

    def took(self, result: str) -> Histogram:
        """The durations of exchanges for which the cache did this."""
        found = self.durations.get(result)
        return self.durations.setdefault(result, Histogram()) if found is None else found

    def duration(self) -> Histogram:
        """The durations of all exchanges."""
        total = Histogram()
        for histogram in self.durations.values():
            total.add(histogram)
        return total

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
        route.took(record.cache.value).observe(record.duration_ms)
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
    nothing: dict[str, dict[str, int]] = {name: {} for name in HELD}
    kept = msgspec.structs.replace(gauges, stores=stores, lease_held=True, policy_reload_successful=True, **nothing)
    return Snapshot(counts, kept)


def _sum_gauges(one: Gauges, other: Gauges) -> Gauges:
    held = {gauge.store: gauge for gauge in one.stores}
    for gauge in other.stores:
        held[gauge.store] = summed(held[gauge.store], gauge) if gauge.store in held else gauge
    names = [name for name in one.__struct_fields__ if name != "stores"]
    rooms = {name: summed(getattr(one, name), getattr(other, name)) for name in names}
    return Gauges(stores=tuple(held.values()), **rooms)
