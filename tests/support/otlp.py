"""What a collector was sent by OpenTelemetry's protocol (OTLP over HTTP), decoded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.collector import Collector

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class SentSpan:
    """A span as it arrived; IDs in hexadecimal, `parent_id` "" for none, `kind` in small letters."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    start_ns: int
    end_ns: int
    is_error: bool
    attributes: dict[str, Value]


def spans_of(kept: Collector) -> list[SentSpan]:
    """All spans so far, in the order of their starts."""
    return sorted(_spans(kept), key=lambda span: span.start_ns)


def _spans(kept: Collector) -> Iterator[SentSpan]:
    service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
    kinds = {2: "server", 3: "client"}
    for path, body in list(kept.posts):
        if path != "/v1/traces":
            continue
        sent = service.ExportTraceServiceRequest.FromString(body)
        for resource in sent.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    yield SentSpan(
                        span.name,
                        kinds.get(span.kind, str(span.kind)),
                        span.trace_id.hex(),
                        span.span_id.hex(),
                        span.parent_span_id.hex(),
                        span.start_time_unix_nano,
                        span.end_time_unix_nano,
                        span.status.code == 2,
                        {one.key: _value(one.value) for one in span.attributes},
                    )


@dataclass(frozen=True, slots=True)
class SentMetrics:
    """One export: who sent it, the kind of each metric by its name, and each number by its sample as Prometheus has it.

    Of a histogram that is the number of observations (`_count`) and their sum (`_sum`).
    """

    resource: dict[str, Value]
    kinds: dict[str, str]
    samples: dict[tuple[str, frozenset[tuple[str, Value]]], float]

    def total(self, name: str) -> float:
        """The sum over all labels."""
        return sum(value for (sample, _), value in self.samples.items() if sample == name)


def metrics_of(kept: Collector) -> list[SentMetrics]:
    """All exports so far, in order."""
    service = pytest.importorskip("opentelemetry.proto.collector.metrics.v1.metrics_service_pb2")
    found = []
    for path, body in list(kept.posts):
        if path != "/v1/metrics":
            continue
        (sent,) = service.ExportMetricsServiceRequest.FromString(body).resource_metrics
        made = SentMetrics({one.key: _value(one.value) for one in sent.resource.attributes}, {}, {})
        for metric in (metric for scope in sent.scope_metrics for metric in scope.metrics):
            kind = metric.WhichOneof("data")
            made.kinds[metric.name] = kind
            for point in getattr(metric, kind).data_points:
                labels = frozenset((one.key, _value(one.value)) for one in point.attributes)
                if kind == "histogram":
                    assert sum(point.bucket_counts) == point.count
                    assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
                    made.samples[metric.name + "_count", labels] = point.count
                    made.samples[metric.name + "_sum", labels] = point.sum
                else:
                    made.samples[metric.name, labels] = getattr(point, point.WhichOneof("value"))
        found.append(made)
    return found


def _value(value: object) -> Value:
    kind = value.WhichOneof("value")  # type: ignore[attr-defined]
    found = getattr(value, kind)
    assert isinstance(found, str | int | float | bool)
    return found
