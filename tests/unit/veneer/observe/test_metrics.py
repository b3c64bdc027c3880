from __future__ import annotations

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from tests.unit.veneer.observe.records import quiet_observer, record
from veneer.observe.counters import Gauges, StoreGauges
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
    assert found[f"{name}_bucket", "le=0.00025 route="] == 1
    assert found[f"{name}_bucket", "le=0.0025 route="] == 1
    assert found[f"{name}_bucket", "le=0.005 route="] == 2
    assert found[f"{name}_bucket", "le=30.0 route="] == 2
    assert found[f"{name}_bucket", "le=+Inf route="] == 3
    assert found[f"{name}_count", "route="] == 3
    assert found[f"{name}_sum", "route="] == pytest.approx(60.0031)


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


def test_a_store_has_no_series_for_what_it_cannot_have() -> None:
    found = samples(observed())
    assert found["veneer_store_evictions_total", "store=l1"] == 4
    assert ("veneer_store_errors_total", "store=l1") not in found
    assert ("veneer_store_evictions_total", "store=l2") not in found
