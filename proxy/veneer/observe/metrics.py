"""The counters in Prometheus' formats, made on a scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from veneer.observe.counters import BOUNDS_MS, Counts, Gauges, Histogram, Snapshot, StoreGauges
from veneer.pipeline.exchange import Refusal, TunnelEnd

_LE = (*(str(bound / 1_000) for bound in BOUNDS_MS), "+Inf")


class _Snapshots(Collector):
    def __init__(self, source: Callable[[], Snapshot]) -> None:
        self._source = source

    def collect(self) -> Iterator[Metric]:
        """Read once, so that the families of one scrape agree."""
        snapshot = self._source()
        yield from _requests(snapshot.counts)
        yield from _audits(snapshot.counts)
        yield from _durations(snapshot.counts)
        yield from _raw(snapshot.counts)
        yield from _stores(snapshot.gauges.stores)
        yield from _rooms(snapshot.gauges)


class Metrics:
    """Renders what `source` says; `more` are further collectors (the process itself, say)."""

    def __init__(self, source: Callable[[], Snapshot], more: Iterable[Collector] = ()) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Snapshots(source))
        for collector in more:
            self._registry.register(collector)

    def render(self, accept: str) -> tuple[bytes, str]:
        """The metrics and their media type: OpenMetrics where `accept` asks for it, else Prometheus' text format."""
        encode, media_type = choose_encoder(accept)
        return encode(self._registry), media_type


def _counter(name: str, text: str, labels: tuple[str, ...], samples: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, count in samples:
        family.add_metric(values, count)
    return family


def _gauge(name: str, text: str, labels: tuple[str, ...], samples: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _by_all(values: Mapping[str, float]) -> Iterator[tuple[tuple[str, ...], float]]:
    """Values by several labels, between which there are tabs."""
    return ((tuple(key.split("\t")), value) for key, value in sorted(values.items()))


def _by(counts: Mapping[str, float]) -> Iterator[tuple[tuple[str, ...], float]]:
    return (((name,), count) for name, count in sorted(counts.items()))


def _requests(counts: Counts) -> Iterator[Metric]:
    yield _gauge("veneer_requests_active", "Exchanges going on.", (), [((), counts.active)])
    yield _counter(
        "veneer_requests",
        "Exchanges that ended; status is the first digit, 0xx where nothing was answered.",
        ("route", "method", "status"),
        (
            ((name, method, f"{digit}xx"), count)
            for name, route in sorted(counts.routes.items())
            for method, classes in sorted(route.requests.items())
            for digit, count in enumerate(classes)
            # from the first request on, so that the rate of errors is 0 before there is one, and not unknown
            if count or digit >= 2
        ),
    )
    yield _counter(
        "veneer_cache_requests",
        "What the cache did for a request: hit, stale, revalidated, collapsed, miss, bypass, none.",
        ("route", "result"),
        (
            ((name, use), count)
            for name, route in sorted(counts.routes.items())
            for use, count in sorted(route.cache.items())
        ),
    )
    yield _counter(
        "veneer_refused",
        "Requests the proxy answered with an error of its own.",
        ("reason",),
        _by({refusal.value: 0 for refusal in Refusal} | counts.refused),
    )
    yield _counter(
        "veneer_tunnels",
        "Tunnels (WebSockets) that ended: client or backend ended, both were silent too long, or the proxy stopped.",
        ("end",),
        _by({end.value: 0 for end in TunnelEnd} | counts.tunnels),
    )
    yield _counter(
        "veneer_rate_limited",
        "Requests refused by a rate limit.",
        ("route",),
        (((name,), route.rate_limited) for name, route in sorted(counts.routes.items())),
    )


def _audits(counts: Counts) -> Iterator[Metric]:
    yield _counter(
        "veneer_audits",
        "Hits compared with a fresh response: same, or different without an invalidation.",
        ("route", "result"),
        (
            ((name, result), count)
            for name, route in sorted(counts.routes.items())
            for result, count in (("same", route.audits_same), ("different", route.audits_different))
            if count
        ),
    )


def _durations(counts: Counts) -> Iterator[Metric]:
    request = HistogramMetricFamily(
        "veneer_request_duration_seconds", "From the request's head to the response's end.", labels=("route",)
    )
    upstream = HistogramMetricFamily(
        "veneer_upstream_duration_seconds", "From asking the backend to the end of its answer.", labels=("route",)
    )
    for name, route in sorted(counts.routes.items()):
        request.add_metric((name,), _cumulative(route.duration), route.duration.sum_ms / 1_000)
        upstream.add_metric((name,), _cumulative(route.upstream), route.upstream.sum_ms / 1_000)
    yield request
    yield upstream


def _cumulative(histogram: Histogram) -> list[tuple[str, float]]:
    total = 0
    buckets = []
    for le, count in zip(_LE, histogram.counts, strict=True):
        total += count
        buckets.append((le, float(total)))
    return buckets


def _raw(counts: Counts) -> Iterator[Metric]:
    routes = sorted(counts.routes.items())
    yield _counter(
        "veneer_request_bytes", "Body bytes from clients.", ("route",), (((n,), r.bytes_in) for n, r in routes)
    )
    yield _counter(
        "veneer_response_bytes", "Body bytes to clients.", ("route",), (((n,), r.bytes_out) for n, r in routes)
    )
    # A gauge by its type: coding a body that does not shrink takes some back.
    yield _gauge(
        "veneer_compress_saved_bytes",
        "Bytes that content coding spared.",
        ("route",),
        (((n,), r.bytes_saved) for n, r in routes),
    )


def _stores(stores: tuple[StoreGauges, ...]) -> Iterator[Metric]:
    label = ("store",)
    yield _gauge(
        "veneer_store_entries",
        "Stored responses.",
        label,
        (((s.store,), s.entries) for s in stores if s.entries is not None),
    )
    yield _gauge(
        "veneer_store_bytes", "Bytes held.", label, (((s.store,), s.bytes) for s in stores if s.bytes is not None)
    )
    yield _gauge(
        "veneer_store_bytes_max",
        "Bytes it may hold.",
        label,
        (((s.store,), s.bytes_most) for s in stores if s.bytes_most is not None),
    )
    yield _counter(
        "veneer_store_evictions",
        "Entries dropped for room.",
        label,
        (((s.store,), s.evictions) for s in stores if s.evictions is not None),
    )
    yield _counter("veneer_store_hits", "Look-ups that found entries.", label, (((s.store,), s.hits) for s in stores))
    yield _counter("veneer_store_misses", "Look-ups that found none.", label, (((s.store,), s.misses) for s in stores))
    yield _counter(
        "veneer_store_errors",
        "Calls that failed, or values that made no sense.",
        label,
        (((s.store,), s.errors) for s in stores if s.errors is not None),
    )


def _upstreams(gauges: Gauges) -> Iterator[Metric]:
    label = ("upstream",)
    yield _gauge("veneer_upstream_places", "Requests that may be there at once.", label, _by(gauges.upstream_places))
    yield _gauge("veneer_upstream_places_used", "Requests that are.", label, _by(gauges.upstream_places_used))
    yield _gauge("veneer_upstream_waiting", "Requests that wait for a place.", label, _by(gauges.upstream_waiting))
    yield _counter("veneer_upstream_refused", "Requests that got none.", label, _by(gauges.upstream_refused))


def _changes(gauges: Gauges) -> Iterator[Metric]:
    lag = "Since when nothing is known of a source."
    yield _gauge("veneer_changes_lag_seconds", lag, ("source", "node"), _by_all(gauges.changes_lag_s))
    followers = _by_all(gauges.changes_followers)
    yield _gauge("veneer_changes_followers", "Processes that follow it so.", ("source", "state"), followers)
    yield _counter("veneer_changes_read", "What was read.", ("source", "what"), _by_all(gauges.changes_read))
    gaps = "Times all that a source names was invalidated."
    yield _counter("veneer_changes_gaps", gaps, ("source", "reason"), _by_all(gauges.changes_gaps))


def _rooms(gauges: Gauges) -> Iterator[Metric]:
    yield _gauge("veneer_lease_held", "1 while stored responses may be used.", (), [((), gauges.lease_held)])
    yield _counter("veneer_nodes_lost", "Nodes gone without a good-bye.", (), [((), gauges.nodes_lost)])
    yield _counter("veneer_store_flushes", "Times all stored was dead at once.", ("reason",), _by(gauges.flushes))
    skew = "By how much the clock is ahead of Redis'."
    yield _gauge("veneer_clock_skew_seconds", skew, ("node",), _by(gauges.clock_skew_s))
    yield _gauge("veneer_redis_state", "Processes that see Redis so.", ("state",), _by(gauges.redis_states))
    seconds = _by(gauges.redis_state_seconds)
    yield _counter("veneer_redis_state_seconds", "Time for which Redis was seen so.", ("state",), seconds)
    yield _counter("veneer_redis_errors", "Redis calls that failed.", ("part",), _by(gauges.redis_errors))
    yield _counter("veneer_log_dropped", "Lines that found no room.", ("log",), _by(gauges.log_dropped))
    yield _counter("veneer_rate_fallbacks", "Requests decided without Redis.", ("mode",), _by(gauges.rate_fallbacks))
    yield _counter(
        "veneer_rate_refused_locally", "Refusals that needed no call.", (), [((), gauges.rates_refused_locally)]
    )
    yield _counter("veneer_rate_calls", "Calls to Redis for limits.", (), [((), gauges.rate_calls)])
    yield _counter("veneer_rate_batches", "Batches of more than one taken.", ("asked",), _by(gauges.rate_batches))
    yield _counter("veneer_rate_batched", "Requests in these batches.", ("outcome",), _by(gauges.rate_batched))
    yield _counter(
        "veneer_key_set_fetches", "Fetches of keys that issuers publish.", ("result",), _by(gauges.key_set_fetches)
    )
    labels = ("upstream", "target", "state")
    yield _gauge(
        "veneer_upstream_target", "Processes that see the target so.", labels, _by_all(gauges.upstream_targets)
    )
    ejections = _by(gauges.upstream_ejections)
    yield _counter("veneer_upstream_ejections", "Targets left out for failing.", ("upstream",), ejections)
    retries = _by(gauges.upstream_retries)
    yield _counter("veneer_upstream_retries", "Requests sent to another target.", ("result",), retries)
    yield _counter("veneer_subrequests", "Services asked whose a credential is.", ("result",), _by(gauges.subrequests))
    yield from _upstreams(gauges)
    yield from _changes(gauges)
    yield _counter(
        "veneer_compress_again", "Kept coded bodies made smaller in idle time.", (), [((), gauges.coded_anew)]
    )
    yield _counter(
        "veneer_compress_again_saved_bytes",
        "Bytes by which they became smaller, each counted once.",
        (),
        [((), gauges.coded_anew_saved_bytes)],
    )
    yield _counter(
        "veneer_rate_clients_forgotten",
        "Clients with a backlog dropped for room.",
        (),
        [((), gauges.rate_clients_forgotten)],
    )
