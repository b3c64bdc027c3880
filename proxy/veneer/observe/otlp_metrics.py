"""Metrics by OTLP: the families of /metrics, sent every so often by a thread of their own.

OpenTelemetry's SDK encodes and sends; what is sent is made of the families, as its instruments cannot be told a
histogram that is counted already. All sums are cumulative.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

from prometheus_client.core import Metric
from prometheus_client.samples import Sample

from veneer.observe.settings import MetricsTarget, ObserveSettingsError
from veneer.observe.spans import nanoseconds
from veneer.ports import Clock
from veneer.version import running_version

logger = logging.getLogger(__name__)

Gather = Callable[[], Awaitable[Sequence[Metric]]]
"""The families as they are now."""

PATIENCE_S = 3.0
"""How long the last ones may take to leave at a stop."""
_UNITS = {"seconds": "s", "bytes": "By"}


class MetricsExport:
    """Sends families to an OTLP endpoint. The event loop never waits for it, and one set of them waits at most."""

    def __init__(self, target: MetricsTarget, resource: Mapping[str, str], clock: Clock) -> None:
        """`resource` names who sends, beside what OpenTelemetry's variables say. Raises ObserveSettingsError."""
        try:
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - extra
        except ImportError as error:
            msg = 'OTEL_METRICS_EXPORTER=otlp needs OpenTelemetry: pip install "veneer[otel]"'
            raise ObserveSettingsError(msg) from error
        self.every_s = target.every_s
        self._exporter = OTLPMetricExporter(target.endpoint)
        self._resource = Resource.create(dict(resource))
        self._clock = clock
        self._start_ns = nanoseconds(clock.now())
        self._waiting: tuple[Sequence[Metric], int] | None = None
        self._change = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None

    def offer(self, families: Sequence[Metric]) -> None:
        """Have them sent, in place of those that wait still: sums are cumulative, so nothing is lost."""
        with self._change:
            if self._closing:
                return
            self._waiting = families, nanoseconds(self._clock.now())
            self._change.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="metrics by OTLP", daemon=True)
            self._thread.start()

    async def run(self, gather: Gather, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Send them for ever, one interval after the other."""
        while True:
            await sleep(self.every_s)
            try:
                self.offer(await gather())
            except Exception:
                logger.exception("metrics could not be gathered")

    def close(self, patience_s: float = PATIENCE_S) -> None:
        """Send what waits, then end; what takes longer is given up. Idempotent."""
        with self._change:
            self._closing = True
            self._change.notify()
        if self._thread is not None:
            self._thread.join(patience_s)
        self._thread = None
        with self._change:
            self._waiting = None
        self._exporter.shutdown()  # which ends its waits between tries

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._closing or self._waiting is not None)
                waiting, self._waiting = self._waiting, None
            if waiting is None:
                return
            self._exporter.export(metrics_data(*waiting, self._start_ns, self._resource))


def metrics_data(families: Sequence[Metric], now_ns: int, start_ns: int, resource: object) -> object:
    """The families as OpenTelemetry's SDK has them, under the names that /metrics shows."""
    from opentelemetry.sdk.metrics import export  # noqa: PLC0415 - extra
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415 - extra

    made = [
        export.Metric(name, family.documentation, unit_of(name), data)
        for family in families
        for name, data in _data_of(family, now_ns, start_ns)
    ]
    scope = export.ScopeMetrics(InstrumentationScope("veneer", running_version()), made, "")
    return export.MetricsData([export.ResourceMetrics(resource, [scope], "")])


def unit_of(name: str) -> str:
    """The unit that a name says, in the words of UCUM."""
    return next((unit for word, unit in _UNITS.items() if word in name.split("_")), "")


def _data_of(family: Metric, now_ns: int, start_ns: int) -> Iterator[tuple[str, object]]:
    from opentelemetry.sdk.metrics import export  # noqa: PLC0415 - extra

    cumulative = export.AggregationTemporality.CUMULATIVE
    if not family.samples:
        return
    if family.type == "histogram":
        points = [_histogram_point(labels, of_one, now_ns, start_ns) for labels, of_one in _by_labels(family)]
        yield family.name, export.Histogram(points, cumulative)
        return
    is_sum = family.type == "counter"
    numbers = [
        # A truth among the values is no number to the encoder, which would drop them all.
        export.NumberDataPoint(sample.labels, start_ns if is_sum else None, now_ns, float(sample.value))
        for sample in family.samples
    ]
    name = family.samples[0].name
    yield name, export.Sum(numbers, cumulative, is_monotonic=True) if is_sum else export.Gauge(numbers)


def _by_labels(family: Metric) -> Iterator[tuple[dict[str, str], list[Sample]]]:
    """The samples of each of the histograms of a family, in their order."""
    found: dict[tuple[tuple[str, str], ...], list[Sample]] = {}
    for sample in family.samples:
        key = tuple((label, value) for label, value in sample.labels.items() if label != "le")
        found.setdefault(key, []).append(sample)
    return ((dict(key), samples) for key, samples in found.items())


def _histogram_point(labels: Mapping[str, str], samples: Sequence[Sample], now_ns: int, start_ns: int) -> object:
    from opentelemetry.sdk.metrics import export  # noqa: PLC0415 - extra

    bounds, counts, before = list[float](), list[int](), 0
    total = 0.0
    for sample in samples:
        if sample.name.endswith("_bucket"):
            bounds.append(float(sample.labels["le"]))
            counts.append(int(sample.value) - before)
            before = int(sample.value)
        elif sample.name.endswith("_sum"):
            total = sample.value
    # The last bound is +Inf, which is not written. Least and most are not known.
    return export.HistogramDataPoint(labels, start_ns, now_ns, before, total, counts, bounds[:-1], None, None)
