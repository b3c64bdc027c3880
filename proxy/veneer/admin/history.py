"""The last hour in points, kept in memory for the page: for who has no Prometheus, and for the first look."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from aiohttp import web

from veneer.admin.stats import percentile
from veneer.observe.counters import RouteCounts, Snapshot
from veneer.observe.histogram import Histogram
from veneer.pipeline.exchange import hits_of

PATH: Final = "/history"
STEP_S: Final = 10.0
MOST: Final = 360
"""Points that are kept: an hour."""


class HistoryPoint(msgspec.Struct, frozen=True):
    """What happened in one step that ended `at` (Unix); rates are for a second.

    None where there was nothing to take it of. `stored_bytes` are those of memory. With several workers all of them.
    """

    at: float
    requests: float
    errors: float
    hit_rate: float | None
    p99_ms: float | None
    upstream_p99_ms: float | None
    active: int
    waiting: int
    stored_bytes: int


class HistoryView(msgspec.Struct, frozen=True):
    """The answer of GET /history: the oldest first."""

    step_s: float
    points: tuple[HistoryPoint, ...]


class _CountedSoFar:
    """What was counted up to a moment."""

    def __init__(self, snapshot: Snapshot) -> None:
        total = RouteCounts()
        for route in snapshot.counts.routes.values():
            total.add(route)
        self.requests = sum(sum(classes) for classes in total.requests.values())
        self.errors = sum(classes[5] for classes in total.requests.values())
        self.hits, looked = hits_of(total.cache)
        self.misses = looked - self.hits
        self.duration = total.duration()
        self.upstream = total.upstream


class History:
    """Looks at what has been counted every STEP_S. `now` is the date, `monotonic` measures the steps."""

    def __init__(self, now: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._now = now
        self._monotonic = monotonic
        self._points: deque[HistoryPoint] = deque(maxlen=MOST)
        self._last: tuple[float, _CountedSoFar] | None = None

    def look(self, snapshot: Snapshot) -> None:
        """Keep what has happened since the last look; the first only says where to begin."""
        now_s, sums = self._monotonic(), _CountedSoFar(snapshot)
        before, self._last = self._last, (now_s, sums)
        if before is None or now_s <= before[0]:
            return
        took_s, old = now_s - before[0], before[1]
        hits, misses = max(0, sums.hits - old.hits), max(0, sums.misses - old.misses)
        self._points.append(
            HistoryPoint(
                at=round(self._now(), 3),
                requests=max(0, sums.requests - old.requests) / took_s,
                errors=max(0, sums.errors - old.errors) / took_s,
                hit_rate=hits / (hits + misses) if hits + misses else None,
                p99_ms=percentile(_since(sums.duration, old.duration), 0.99),
                upstream_p99_ms=percentile(_since(sums.upstream, old.upstream), 0.99),
                active=snapshot.counts.active,
                waiting=sum(snapshot.gauges.upstream_waiting.values()),
                stored_bytes=sum(store.bytes or 0 for store in snapshot.gauges.stores if store.store == "l1"),
            )
        )

    def told(self) -> HistoryView:
        """All points."""
        return HistoryView(STEP_S, tuple(self._points))

    async def show(self, _request: web.Request) -> web.Response:
        """GET /history."""
        body = msgspec.json.encode(self.told()) + b"\n"
        return web.Response(body=body, content_type="application/json", headers={"Cache-Control": "no-store"})

    async def run(self, snapshot: Callable[[], Snapshot], sleep: Callable[[float], Awaitable[None]]) -> None:
        """Look until cancelled."""
        while True:
            self.look(snapshot())
            await sleep(STEP_S)


def _since(now: Histogram, before: Histogram) -> Histogram:
    counts = [max(0, new - old) for new, old in zip(now.counts, before.counts, strict=True)]
    return Histogram(counts, max(0.0, now.sum_ms - before.sum_ms))
