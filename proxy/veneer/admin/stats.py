"""The counters in the words of a dashboard."""

from __future__ import annotations

import msgspec

from veneer.core.durations import BOUNDS_MS
from veneer.observe.counters import RouteCounts, Snapshot
from veneer.observe.gauges import StoreGauges
from veneer.observe.histogram import Histogram
from veneer.pipeline.exchange import hits_of


class RouteStats(msgspec.Struct, frozen=True):
    """One route. `hit_rate` is of those that looked into the cache: answered without asking the backend anew.

    `hit_p99_ms` is of what the stores answered, `miss_p99_ms` of what the backend was asked for.
    Percentiles are upper bounds of the bucket they fall into; None where nothing was counted or the bucket is open.
    """

    route: str
    requests: int
    errors: int
    rate_limited: int
    hit_rate: float | None
    cache: dict[str, int]
    p50_ms: float | None
    p99_ms: float | None
    hit_p99_ms: float | None
    miss_p99_ms: float | None
    upstream_p50_ms: float | None
    bytes_out: int
    bytes_saved: int


class Stats(msgspec.Struct, frozen=True):
    """Everything the dashboard shows. `total` adds all routes up."""

    lease_held: bool
    position: tuple[str, int]
    active: int
    total: RouteStats
    routes: tuple[RouteStats, ...]
    stores: tuple[StoreGauges, ...]
    refused: dict[str, int]
    redis_errors: dict[str, int]
    log_dropped: dict[str, int]


def stats_of(snapshot: Snapshot, position: tuple[str, int]) -> Stats:
    """The statistics of one or several processes."""
    counts, gauges = snapshot.counts, snapshot.gauges
    total = RouteCounts()
    for route in counts.routes.values():
        total.add(route)
    return Stats(
        lease_held=gauges.lease_held,
        position=position,
        active=counts.active,
        total=_route_stats("", total),
        routes=tuple(_route_stats(name, route) for name, route in sorted(counts.routes.items())),
        stores=gauges.stores,
        refused=counts.refused,
        redis_errors=gauges.redis_errors,
        log_dropped=gauges.log_dropped,
    )


def _route_stats(name: str, route: RouteCounts) -> RouteStats:
    here, looked = hits_of(route.cache)
    return RouteStats(
        route=name,
        requests=sum(sum(classes) for classes in route.requests.values()),
        errors=sum(classes[5] for classes in route.requests.values()),
        rate_limited=route.rate_limited,
        hit_rate=here / looked if looked else None,
        cache=route.cache,
        p50_ms=percentile(route.duration(), 0.5),
        p99_ms=percentile(route.duration(), 0.99),
        hit_p99_ms=percentile(_of(route, "hit", "stale"), 0.99),
        miss_p99_ms=percentile(_of(route, "miss", "revalidated", "collapsed"), 0.99),
        upstream_p50_ms=percentile(route.upstream, 0.5),
        bytes_out=route.bytes_out,
        bytes_saved=route.bytes_saved,
    )


def _of(route: RouteCounts, *results: str) -> Histogram:
    total = Histogram()
    for result in results:
        if result in route.durations:
            total.add(route.durations[result])
    return total


def percentile(histogram: Histogram, share: float) -> float | None:
    """The upper bound, in milliseconds, of the bucket in which that share of the durations is reached."""
    wanted = share * sum(histogram.counts)
    reached = 0
    for bound, count in zip(BOUNDS_MS, histogram.counts, strict=False):
        reached += count
        if reached and reached >= wanted:
            return bound
    return None
