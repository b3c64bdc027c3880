"""The counters in Prometheus' formats, made on a scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from veneer.observe.counters import Counts, Snapshot
from veneer.observe.families import by, counter, gauge, histogram
from veneer.observe.room_metrics import rooms, stores
from veneer.pipeline.exchange import CacheResult, Refusal, TunnelEnd

_FIRST_SHOWN = {"GET": [0] * 6}
"""What a route shows that nobody has asked for: a rate of errors that is 0, and not unknown."""
_NO_RESULTS = {result.value: 0 for result in CacheResult}


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
        yield from stores(snapshot.gauges.stores)
        yield from rooms(snapshot.gauges)


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

    def families(self) -> list[Metric]:
        """The same before it is text."""
        return list(self._registry.collect())


def _requests(counts: Counts) -> Iterator[Metric]:
    yield gauge("veneer_requests_active", "Exchanges going on.", (), [((), counts.active)])
    yield counter(
        "veneer_requests",
        "Exchanges that ended; status is the first digit, 0xx where nothing was answered.",
        ("route", "method", "status"),
        (
            ((name, method, f"{digit}xx"), count)
            for name, route in sorted(counts.routes.items())
            for method, classes in sorted((route.requests or _FIRST_SHOWN).items())
            for digit, count in enumerate(classes)
            # from the first request on, so that the rate of errors is 0 before there is one, and not unknown
            if count or digit >= 2
        ),
    )
    yield counter(
        "veneer_cache_requests",
        "What the cache did for a request: hit, stale, revalidated, collapsed, miss, bypass, none.",
        ("route", "result"),
        (
            ((name, use), count)
            for name, route in sorted(counts.routes.items())
            for use, count in sorted((_NO_RESULTS | route.cache).items())
        ),
    )
    yield counter(
        "veneer_refused",
        "Requests the proxy answered with an error of its own.",
        ("reason",),
        by({refusal.value: 0 for refusal in Refusal} | counts.refused),
    )
    yield counter(
        "veneer_tunnels",
        "Tunnels (WebSockets) that ended: client or backend ended, both were silent too long, or the proxy stopped.",
        ("end",),
        by({end.value: 0 for end in TunnelEnd} | counts.tunnels),
    )
    yield counter(
        "veneer_rate_limited",
        "Requests refused by a rate limit.",
        ("route",),
        (((name,), route.rate_limited) for name, route in sorted(counts.routes.items())),
    )


def _audits(counts: Counts) -> Iterator[Metric]:
    yield counter(
        "veneer_audits",
        "Hits compared with a fresh response: same, or different without an invalidation.",
        ("route", "result"),
        (
            ((name, result), count)
            for name, route in sorted(counts.routes.items())
            for result, count in (("same", route.audits_same), ("different", route.audits_different))
        ),
    )


def _durations(counts: Counts) -> Iterator[Metric]:
    routes = sorted(counts.routes.items())
    yield histogram(
        "veneer_request_duration_seconds",
        "From the request's head to the response's end, by what the cache did.",
        ("route", "result"),
        (((name, result), took) for name, route in routes for result, took in sorted(route.durations.items())),
    )
    yield histogram(
        "veneer_upstream_duration_seconds",
        "From asking the backend to the end of its answer.",
        ("route",),
        (((name,), route.upstream) for name, route in routes),
    )


def _raw(counts: Counts) -> Iterator[Metric]:
    routes = sorted(counts.routes.items())
    yield counter(
        "veneer_request_bytes", "Body bytes from clients.", ("route",), (((n,), r.bytes_in) for n, r in routes)
    )
    yield counter(
        "veneer_response_bytes", "Body bytes to clients.", ("route",), (((n,), r.bytes_out) for n, r in routes)
    )
    # A gauge by its type: coding a body that does not shrink takes some back.
    yield gauge(
        "veneer_compress_saved_bytes",
        "Bytes that content coding spared.",
        ("route",),
        (((n,), r.bytes_saved) for n, r in routes),
    )
