from __future__ import annotations

import msgspec
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from tests.unit.veneer.observe.records import quiet_observer, record
from veneer.observe.counters import Counts, Snapshot, merged, remains
from veneer.observe.gauges import HELD, Gauges, StoreGauges
from veneer.observe.metrics import Metrics
from veneer.pipeline.exchange import CacheResult, ExchangeRecord, Refusal

GAUGES = Gauges(stores=(StoreGauges("l1", 2, 300, 1_000, 4), StoreGauges("l2", errors=5)), lease_held=False)


def observed(*records: ExchangeRecord) -> Metrics:
    observer = quiet_observer()
    for one in records:
        observer.begin()
        observer.finish(one)
    return Metrics(lambda: observer.snapshot(lambda: GAUGES))


def samples(metrics: Metrics) -> dict[tuple[str, str], float]:
    text, media_type = metrics.render("")
    assert media_type.startswith("text/plain")
    return {
        (sample.name, " ".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_requests_by_route_method_and_class() -> None:
    found = samples(observed(record(route="a"), record(route="a"), record(route="a", method="PUT", status=404)))
    assert found["veneer_requests_total", "method=GET route=a status=2xx"] == 2
    assert found["veneer_requests_total", "method=PUT route=a status=4xx"] == 1
    assert found["veneer_requests_active", ""] == 0


def test_cache_results_and_refusals() -> None:
    found = samples(observed(record(cache=CacheResult.COLLAPSED), record(status=429, refused=Refusal.RATE)))
    assert found["veneer_cache_requests_total", "result=collapsed route="] == 1
    assert found["veneer_refused_total", "reason=rate"] == 1
    assert found["veneer_rate_limited_total", "route="] == 1


def test_buckets_are_cumulative_and_in_seconds() -> None:
    found = samples(observed(record(duration_ms=0.1), record(duration_ms=3.0), record(duration_ms=60_000.0)))
    name = "veneer_request_duration_seconds"
    assert found[f"{name}_bucket", "le=0.00025 result=none route="] == 1
    assert found[f"{name}_bucket", "le=0.0025 result=none route="] == 1
    assert found[f"{name}_bucket", "le=0.005 result=none route="] == 2
    assert found[f"{name}_bucket", "le=30.0 result=none route="] == 2
    assert found[f"{name}_bucket", "le=+Inf result=none route="] == 3
    assert found[f"{name}_count", "result=none route="] == 3
    assert found[f"{name}_sum", "result=none route="] == pytest.approx(60.0031)


def test_hits_and_misses_have_durations_of_their_own() -> None:
    hit, miss = (record(cache=cache, duration_ms=ms) for cache, ms in ((CacheResult.HIT, 0.1), (CacheResult.MISS, 90)))
    found = samples(observed(hit, hit, miss))
    name = "veneer_request_duration_seconds"
    assert found[f"{name}_sum", "result=hit route="] == pytest.approx(0.0002)
    assert found[f"{name}_bucket", "le=0.1 result=miss route="] == 1
    assert found[f"{name}_count", "result=miss route="] == 1


def test_rooms_and_stores() -> None:
    found = samples(observed())
    assert found["veneer_store_bytes", "store=l1"] == 300
    assert ("veneer_store_bytes", "store=l2") not in found, "a store that cannot tell is not said to be empty"
    assert found["veneer_store_evictions_total", "store=l1"] == 4
    assert found["veneer_store_errors_total", "store=l2"] == 5
    assert found["veneer_lease_held", ""] == 0


def test_openmetrics_on_request() -> None:
    text, media_type = observed(record()).render("application/openmetrics-text; version=1.0.0")
    assert media_type.startswith("application/openmetrics-text")
    assert "veneer_requests" in {family.name for family in parse_openmetrics(text.decode())}  # type: ignore[no-untyped-call]


def test_hostile_route_names_are_escaped() -> None:
    assert ("veneer_requests_total", 'method=GET route=a"b\\c\nd status=2xx') in samples(
        observed(record(route='a"b\\c\nd'))
    )


def test_active_exchanges() -> None:
    observer = quiet_observer()
    observer.begin()
    observer.begin()
    observer.finish(record())
    assert samples(Metrics(lambda: observer.snapshot(lambda: GAUGES)))["veneer_requests_active", ""] == 1


def test_errors_and_refusals_are_zero_before_the_first() -> None:
    found = samples(observed(record(route="a")))
    assert found["veneer_requests_total", "method=GET route=a status=5xx"] == 0
    assert {reason for name, reason in found if name == "veneer_refused_total"} == {
        f"reason={refusal.value}" for refusal in Refusal
    }


def test_routes_are_there_before_anybody_asks_for_them() -> None:
    observer = quiet_observer()
    observer.expect(["a"])
    found = samples(Metrics(lambda: observer.snapshot(lambda: GAUGES)))
    for route in ("", "a"):
        for digit in (2, 3, 4, 5):
            assert found["veneer_requests_total", f"method=GET route={route} status={digit}xx"] == 0
        for result in CacheResult:
            assert found["veneer_cache_requests_total", f"result={result.value} route={route}"] == 0
        for audit in ("same", "different"):
            assert found["veneer_audits_total", f"result={audit} route={route}"] == 0


def test_what_runs_and_what_is_in_force() -> None:
    one = Gauges(build={"1.0\t3.12\tcompiled": 1}, policies={"11\tabc": 5.0}, workers={"serving": 1})
    two = Gauges(build={"1.0\t3.12\tcompiled": 1}, policies={"12\tdef": 7.0}, policy_reload_successful=False)
    whole = merged([Snapshot(Counts(), one), Snapshot(Counts(), two)])
    found = samples(Metrics(lambda: whole))
    assert found["veneer_build_info", "form=compiled python=3.12 version=1.0"] == 1, "for two processes as for one"
    assert found["veneer_policy_info", "digest=abc"] == found["veneer_policy_info", "digest=def"] == 1
    assert found["veneer_policy_loaded_timestamp_seconds", ""] == 7
    assert found["veneer_policy_reload_successful", ""] == 0
    assert found["veneer_workers", "state=serving"] == 1


def test_limits_nodes_and_upstreams_of_several_processes() -> None:
    one = Gauges(
        limits_used={"connections": 2}, limits_max={"connections": 9}, nodes={"n1": 2}, upstream_up={"u": True}
    )
    two = Gauges(
        limits_used={"connections": 3}, limits_max={"connections": 9}, nodes={"n2": 2}, upstream_up={"u": False}
    )
    whole = merged([Snapshot(Counts(), one), Snapshot(Counts(), two)])
    found = samples(Metrics(lambda: whole))
    assert found["veneer_limit_used", "limit=connections"] == 5
    assert found["veneer_limit_max", "limit=connections"] == 18
    assert found["veneer_nodes", ""] == 2, "both see the same two"
    assert found["veneer_upstream_up", "upstream=u"] == 0
    left = remains(whole)
    assert samples(Metrics(lambda: left)).keys() & {("veneer_limit_used", "limit=connections")} == set()


def test_a_store_has_no_series_for_what_it_cannot_have() -> None:
    found = samples(observed())
    assert found["veneer_store_evictions_total", "store=l1"] == 4
    assert ("veneer_store_errors_total", "store=l1") not in found
    assert ("veneer_store_evictions_total", "store=l2") not in found


MAPPINGS = [name for name in Gauges.__struct_fields__ if isinstance(getattr(Gauges(), name), dict)]


def shown(gauges: Gauges) -> dict[tuple[str, str], str]:
    """Each sample with its value, and the type of its family."""
    text, _ = Metrics(lambda: Snapshot(Counts(), gauges)).render("")
    families = text_string_to_metric_families(text.decode())
    return {(str(sample), family.type): family.type for family in families for sample in family.samples}


@pytest.mark.parametrize("name", MAPPINGS)
def test_what_a_room_says_is_scraped_and_named_in_held_where_it_is_no_counter(name: str) -> None:
    nothing, filled = shown(Gauges()), msgspec.structs.replace(Gauges(), **{name: {"a\tb\tc": 7}})
    types = {kind for sample, kind in shown(filled).items() if sample not in nothing}
    assert types, f"Gauges.{name} needs a family in observe/room_metrics.py"
    meant = "HELD in observe/gauges.py names what is gone with its process, as a gauge is and a counter is not: look at"
    assert types == {"gauge" if name in HELD else "counter"}, f"{meant} {name}"
