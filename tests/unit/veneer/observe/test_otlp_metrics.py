from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Sequence

import pytest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from devstack.process import wait_until
from tests.support.clock import ManualClock
from tests.support.collector import collector
from tests.support.otlp import metrics_of
from tests.unit.veneer.observe.records import quiet_observer, record
from veneer.observe.families import counter, gauge
from veneer.observe.gauges import Gauges, StoreGauges
from veneer.observe.metrics import Metrics
from veneer.observe.otlp_metrics import MetricsExport, unit_of
from veneer.observe.process import ProcessFamilies
from veneer.observe.settings import MetricsTarget, ObserveSettingsError
from veneer.pipeline.exchange import CacheResult

pytest.importorskip("opentelemetry.sdk")


def export_to(url: str, every_s: float = 60.0) -> MetricsExport:
    return MetricsExport(MetricsTarget(f"{url}/v1/metrics", every_s), {"service.name": "shop"}, ManualClock())


def number(value: float) -> list[Metric]:
    return [gauge("n", "A number.", (), [((), value)])]


def test_what_is_shown_is_what_is_sent() -> None:
    """Each sample of /metrics, but for the buckets, whose numbers are held against the count."""
    observer = quiet_observer()
    observer.expect(["pages"])
    for result in (CacheResult.HIT, CacheResult.MISS):
        observer.finish(record(route="pages", cache=result, duration_ms=3.0, upstream_ms=2.0, bytes_out=7))
    gauges = Gauges(stores=(StoreGauges("memory", entries=2, bytes=100, hits=1),))
    metrics = Metrics(lambda: observer.snapshot(lambda: gauges))
    with collector() as kept:
        export = export_to(kept.url)
        export.offer(metrics.families())
        export.close()
    (sent,) = metrics_of(kept)
    shown = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.render("text/plain")[0].decode())
        for sample in family.samples
        if not sample.name.endswith(("_bucket", "_created"))
    }
    assert sent.samples == shown
    assert sent.resource["service.name"] == "shop"
    assert sent.resource["service.instance.id"]
    assert sent.kinds["veneer_requests_total"] == "sum"
    assert sent.kinds["veneer_requests_active"] == "gauge"
    assert sent.kinds["veneer_request_duration_seconds"] == "histogram"


def test_the_process_is_sent_as_it_is_shown() -> None:
    with collector() as kept:
        export = export_to(kept.url)
        export.offer(list(ProcessFamilies().collect()))
        export.close()
    (sent,) = metrics_of(kept)
    assert sent.kinds["process_cpu_seconds_total"] == "sum"
    assert sent.total("process_resident_memory_bytes") > 0


@pytest.mark.parametrize(
    ("name", "unit"),
    [("veneer_request_duration_seconds", "s"), ("veneer_store_bytes_max", "By"), ("veneer_requests_total", "")],
)
def test_units_are_those_that_names_say(name: str, unit: str) -> None:
    assert unit_of(name) == unit


def test_a_family_without_a_sample_is_not_sent() -> None:
    with collector() as kept:
        export = export_to(kept.url)
        export.offer([counter("empty", "Nothing.", ("a",), []), *number(1)])
        export.close()
    (sent,) = metrics_of(kept)
    assert sent.samples == {("n", frozenset()): 1}


def test_of_what_waits_the_last_is_sent() -> None:
    """While a collector takes its time nothing piles up, and nobody waits who offers more."""
    answers = threading.Event()
    with collector(answers) as kept:
        export = export_to(kept.url)
        export.offer(number(0))
        assert wait_until(lambda: len(kept.posts) == 1, timeout_s=30)
        for value in range(1, 1_000):
            export.offer(number(value))
        answers.set()
        export.close(patience_s=30)
    assert [sent.total("n") for sent in metrics_of(kept)] == [0, 999]


def test_a_collector_that_says_nothing_holds_up_no_end() -> None:
    with collector(threading.Event()) as kept:
        export = export_to(kept.url)
        export.offer(number(0))
        assert wait_until(lambda: len(kept.posts) == 1, timeout_s=30)
        export.offer(number(1))
        export.close(patience_s=0.01)
        export.offer(number(2))
        export.close()
    assert [sent.total("n") for sent in metrics_of(kept)] == [0]


async def test_it_goes_on_where_once_nothing_could_be_gathered(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "veneer")
    turns: list[float] = []

    async def sleep(seconds: float) -> None:
        turns.append(seconds)
        if len(turns) == 4:
            raise asyncio.CancelledError

    async def gather() -> Sequence[Metric]:
        if len(turns) == 1:
            raise RuntimeError("a worker said nonsense")
        return number(len(turns))

    with collector() as kept:
        export = export_to(kept.url, every_s=7.0)
        with pytest.raises(asyncio.CancelledError):
            await export.run(gather, sleep)
        export.close()
    assert turns == [7.0] * 4
    assert metrics_of(kept)[-1].samples == {("n", frozenset()): 3}
    assert "metrics could not be gathered" in caplog.text


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.metric_exporter", None)
    with pytest.raises(ObserveSettingsError, match=r"veneer\[otel\]"):
        export_to("http://127.0.0.1:1")
