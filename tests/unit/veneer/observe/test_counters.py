from __future__ import annotations

import msgspec
import pytest

from tests.unit.veneer.observe.records import record
from veneer.core.durations import BOUNDS_MS
from veneer.observe.counters import Counts, Snapshot, merged, remains
from veneer.observe.gauges import HELD, Gauges, StoreGauges
from veneer.observe.histogram import Histogram
from veneer.pipeline.exchange import CacheResult, Refusal

RECORDS = (
    record(route="a", cache=CacheResult.HIT, bytes_out=10, bytes_identity=100),
    record(route="a", cache=CacheResult.MISS, upstream_ms=7.0, duration_ms=8.0, bytes_in=5),
    record(route="a", method="POST", status=503, refused=Refusal.LOAD),
    record(route="b", method="PROPFIND", status=429, refused=Refusal.RATE, cache=CacheResult.NONE),
    record(route="b", status=0, error="client left"),
)


def counted(*records: object) -> Counts:
    counts = Counts()
    for one in records:
        counts.count(msgspec.convert(one, type(RECORDS[0])))
    return counts


def test_exchanges_are_counted_by_route_method_and_class() -> None:
    counts = counted(*RECORDS)
    assert counts.routes["a"].requests == {"GET": [0, 0, 2, 0, 0, 0], "POST": [0, 0, 0, 0, 0, 1]}
    assert counts.routes["b"].requests == {"other": [0, 0, 0, 0, 1, 0], "GET": [1, 0, 0, 0, 0, 0]}
    assert counts.routes["a"].cache == {"hit": 1, "miss": 1, "none": 1}
    assert counts.refused == {"load": 1, "rate": 1}
    assert [counts.routes[name].rate_limited for name in "ab"] == [0, 1]


def test_bytes_and_what_coding_spared() -> None:
    route = counted(*RECORDS).routes["a"]
    assert (route.bytes_in, route.bytes_out, route.bytes_saved) == (5, 10, 90)


def test_only_exchanges_with_the_backend_count_its_time() -> None:
    route = counted(*RECORDS).routes["a"]
    assert sum(route.upstream.counts) == 1
    assert route.upstream.sum_ms == 7.0
    assert sum(route.duration().counts) == 3


@pytest.mark.parametrize(
    ("duration_ms", "bucket"), [(0.0, 0), (0.25, 0), (0.2501, 1), (30_000.0, len(BOUNDS_MS) - 1), (1e9, len(BOUNDS_MS))]
)
def test_a_bucket_includes_its_bound(duration_ms: float, bucket: int) -> None:
    histogram = Histogram()
    histogram.observe(duration_ms)
    assert histogram.counts.index(1) == bucket


def test_an_ended_process_leaves_what_it_counted_and_not_what_it_held() -> None:
    """Each member is one or the other: a new one has to be thought about."""
    gauges = Gauges(
        policies={"1\ta": 1.0},
        policy_reload_successful=False,
        purges={"applied": 2},
        invalidation_wait=Histogram([1] * 17, 3.0),
        limits_used={"connections": 1},
    )
    left = remains(Snapshot(Counts(active=3), gauges)).gauges
    assert (left.policies, left.limits_used, left.policy_reload_successful) == ({}, {}, True)
    assert (left.purges, left.invalidation_wait) == ({"applied": 2}, gauges.invalidation_wait)
    assert set(HELD) <= set(Gauges.__struct_fields__)


def test_routes_are_bounded() -> None:
    counts = counted(*(record(route=f"r{number}") for number in range(1_200)))
    assert len(counts.routes) == 1_001
    assert counts.routes["other"].requests["GET"][2] == 200


def test_instances_share_no_state() -> None:
    counted(*RECORDS)
    assert Counts().routes == {}
    assert merged([]).counts == Counts()


def test_adding_processes_is_counting_everything_in_one() -> None:
    parts = [counted(*RECORDS[:2]), counted(*RECORDS[2:4]), counted(*RECORDS[4:])]
    whole = merged(Snapshot(part, Gauges()) for part in parts).counts
    assert whole == counted(*RECORDS)
    assert parts[0] == counted(*RECORDS[:2]), "adding left the parts as they were"


def test_gauges_add_and_the_whole_leads_only_where_each_does() -> None:
    one = Gauges(
        stores=(StoreGauges("l1", 1, 10, 100, 1, 2, 3, 4), StoreGauges("l2")),
        redis_errors={"rates": 1},
        nodes_lost=1,
        rate_fallbacks={"open": 1},
    )
    other = Gauges(
        stores=(StoreGauges("l1", 2, 20, 100), StoreGauges("l2")),
        lease_held=False,
        redis_errors={"rates": 1, "log": 1},
        nodes_lost=2,
        log_dropped={"access": 3},
    )
    total = merged([Snapshot(Counts(), one), Snapshot(Counts(), other)]).gauges
    assert total.stores == (StoreGauges("l1", 3, 30, 200, 1, 2, 3, 4), StoreGauges("l2"))
    assert total.redis_errors == {"rates": 2, "log": 1}
    assert total.nodes_lost == 3
    assert (total.log_dropped, total.rate_fallbacks, total.lease_held) == ({"access": 3}, {"open": 1}, False)


def test_snapshots_travel_between_processes() -> None:
    snapshot = Snapshot(counted(*RECORDS), Gauges(stores=(StoreGauges("l1", 1),), log_dropped={"access": 1}))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(snapshot), type=Snapshot) == snapshot
