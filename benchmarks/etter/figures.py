"""Figures of a phase, from its samples and from the backend's own metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec
import numpy as np

from benchmarks.etter.load import Measured, Sample


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """One phase in numbers. Times in milliseconds; shares 0 to 1; `per_second` counts answers other than 5xx.

    `forwarded` says why reads were not answered from the store: a share of all reads for each reason.
    """

    name: str
    users: int
    requests: int
    seconds: float
    per_second: float
    average_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    server_errors: int
    broken: int
    client_errors: int
    hit_rate: float
    bytes_per_reply: float
    queries_per_request: float
    backend_requests: int
    query_p95_ms: float
    slow_query_share: float
    cpu_seconds: dict[str, float]
    forwarded: dict[str, float]

    @property
    def server_error_share(self) -> float:
        """Share of answers with a 5xx, or without an answer."""
        return (self.server_errors + self.broken) / max(1, self.requests)


class RouteFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One route in one phase."""

    route: str
    requests: int
    average_ms: float
    p95_ms: float
    hit_rate: float
    bytes_per_reply: float


def figures(name: str, users: int, measured: Measured, seconds: float) -> Figures:
    """Sum up a phase."""
    samples = measured.samples
    times = np.array([sample.seconds for sample in samples]) * 1000
    p50, p95, p99 = (round(float(value), 1) for value in np.percentile(times, (50, 95, 99)))
    reads = [sample for sample in samples if sample.is_read]
    used = Used(measured.before, measured.after)
    return Figures(
        name=name,
        users=users,
        requests=len(samples),
        seconds=seconds,
        # What failed was not served, however fast.
        per_second=round(sum(0 < sample.status < 500 for sample in samples) / seconds, 1),
        average_ms=round(float(times.mean()), 1),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        server_errors=sum(sample.status >= 500 for sample in samples),
        broken=sum(sample.status == 0 for sample in samples),
        client_errors=sum(400 <= sample.status < 500 for sample in samples),
        hit_rate=round(sum(sample.hit for sample in reads) / max(1, len(reads)), 4),
        bytes_per_reply=round(sum(sample.body_bytes for sample in samples) / len(samples), 1),
        queries_per_request=round(used.queries / max(1, used.requests), 2),
        backend_requests=round(used.requests),
        query_p95_ms=used.query_quantile_ms(0.95),
        slow_query_share=round(used.slow / max(1.0, used.queries), 5),
        cpu_seconds={process: round(spent, 1) for process, spent in measured.cpu_seconds.items()},
        forwarded={reason: round(count / len(reads), 4) for reason, count in _reasons(reads).most_common() if reason},
    )


def _reasons(reads: Sequence[Sample]) -> Counter[str]:
    return Counter(sample.why_forwarded for sample in reads)


def by_route(samples: Sequence[Sample]) -> list[RouteFigures]:
    """Sum up each route."""
    rows = []
    for route in sorted({sample.route for sample in samples}):
        mine = [sample for sample in samples if sample.route == route]
        times = np.array([sample.seconds for sample in mine]) * 1000
        rows.append(
            RouteFigures(
                route=route,
                requests=len(mine),
                average_ms=round(float(times.mean()), 1),
                p95_ms=round(float(np.percentile(times, 95)), 1),
                hit_rate=round(sum(sample.hit for sample in mine) / len(mine), 4),
                bytes_per_reply=round(sum(sample.body_bytes for sample in mine) / len(mine), 1),
            )
        )
    return rows


class Used:
    """What the backend did between two readings of its metrics."""

    def __init__(self, before: str, after: str) -> None:
        earlier = _read(before)
        self._change = {name: value - earlier.get(name, 0.0) for name, value in _read(after).items()}

    @property
    def requests(self) -> float:
        """Requests that reached the backend."""
        return self._change.get("etter_db_queries_per_request_count", 0.0)

    @property
    def queries(self) -> float:
        """Statements in these requests."""
        return self._change.get("etter_db_queries_per_request_sum", 0.0)

    @property
    def slow(self) -> float:
        """Statements over the slow limit."""
        return self._change.get("etter_db_slow_queries_total", 0.0)

    def query_quantile_ms(self, share: float) -> float:
        """Return the upper edge of the histogram bucket that holds the quantile."""
        prefix = 'etter_db_query_duration_seconds_bucket{le="'
        total = self._change.get("etter_db_query_duration_seconds_count", 0.0)
        for name, count in self._change.items():
            if name.startswith(prefix) and count >= share * total:
                return round(float(name.removeprefix(prefix).removesuffix('"}')) * 1000, 1)
        return 0.0


def _read(text: str) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}
