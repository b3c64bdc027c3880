from __future__ import annotations

from tests.unit.veneer.observe.records import quiet_observer, record
from veneer.admin.counters_view import counters_of
from veneer.admin.views import RouteCounters
from veneer.core.durations import BOUNDS_MS
from veneer.observe.gauges import Gauges
from veneer.pipeline.exchange import CacheResult


def test_counters_by_route() -> None:
    observer = quiet_observer()
    for status, method, cache in ((200, "GET", CacheResult.HIT), (503, "GET", CacheResult.MISS), (200, "POST", None)):
        observer.begin()
        used = CacheResult.BYPASS if cache is None else cache
        observer.finish(record(route="a", status=status, method=method, cache=used, duration_ms=1.5, bytes_out=10))
    observer.begin()
    told = counters_of(observer.snapshot(Gauges), 5.0)
    durations = tuple(3 if bound == 2.5 else 0 for bound in (*BOUNDS_MS, 0))
    results = {"hit": 1, "miss": 1, "bypass": 1}
    assert told.routes["a"] == RouteCounters(3, {"2xx": 2, "5xx": 1}, results, durations, 30)
    assert (told.at_s, told.active, told.bounds_ms) == (5.0, 1, BOUNDS_MS)
