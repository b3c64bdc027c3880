"""Everything that watches one process, opened and closed as one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from veneer.loop.clock import SystemClock
from veneer.observe.access_log import Lines
from veneer.observe.client_spans import ClientSpans
from veneer.observe.errors import ErrorReports
from veneer.observe.lines import JsonLines, JsonMessages, TextLines, TextMessages
from veneer.observe.observer import Observer, in_this_loop
from veneer.observe.otlp_metrics import MetricsExport
from veneer.observe.settings import ObserveSettings
from veneer.observe.tracing import OwnSpans, SpanExporter
from veneer.observe.writer import LineWriter, MessageHandler
from veneer.pipeline.exchange import ExchangeRecord

STDOUT, STDERR = 1, 2


@dataclass(frozen=True, slots=True)
class Observation:
    """The recorder of exchanges, whether metrics are shown, what lines each log lost.

    Where traced, `spans` are those of exchanges, and `client_spans` those of what backends are asked. `metrics_export`
    sends metrics where that is wanted: whoever has those of all processes gives them to it.
    """

    observer: Observer
    spans: OwnSpans | None
    metrics: bool
    dropped: Callable[[], dict[str, int]]
    templates: dict[str, str] = field(default_factory=dict)
    """The paths of the routes in force, by their names."""
    client_spans: ClientSpans | None = None
    metrics_export: MetricsExport | None = None

    def expect(self, templates: Mapping[str, str]) -> None:
        """These routes are in force from now on."""
        self.observer.expect(templates)
        self.templates.clear()
        self.templates.update(templates)


@contextmanager
def open_observation(settings: ObserveSettings, *, as_json: bool) -> Iterator[Observation]:
    """Lines on standard output, messages on standard error, and what the settings switch on; all flushed at the end.

    Raises ObserveSettingsError where an extra is missing.
    """
    with ExitStack() as closing:
        messages = LineWriter(STDERR, name="message log")
        closing.callback(messages.close)
        lines = LineWriter(STDOUT, name="access log")
        closing.callback(lines.close)
        handler = MessageHandler(messages, JsonMessages(settings.node) if as_json else TextMessages())
        logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
        also: list[Callable[[ExchangeRecord], None]] = []
        clock = SystemClock()
        spans: OwnSpans | None = None
        client_spans: ClientSpans | None = None
        templates: dict[str, str] = {}
        if settings.otlp_endpoint is not None:
            exporter = SpanExporter(settings.otlp_endpoint, settings.resource, templates)
            closing.callback(exporter.close)
            also.append(exporter)
            spans = OwnSpans(sampler=settings.sampler)
            client_spans = ClientSpans(exporter.send, clock)
        metrics_export: MetricsExport | None = None
        if settings.otlp_metrics is not None:
            metrics_export = MetricsExport(settings.otlp_metrics, settings.resource, clock)
            closing.callback(metrics_export.close)
        if settings.sentry_dsn is not None:
            closing.callback(ErrorReports(settings.sentry_dsn).close)

        def dropped() -> dict[str, int]:
            return {"requests": lines.dropped, "messages": messages.dropped}

        access_log = Lines(JsonLines(settings.node) if as_json else TextLines(), lines)
        observer = Observer(access_log, also, clock=clock, later=in_this_loop)
        closing.callback(observer.work_off)
        yield Observation(observer, spans, settings.metrics, dropped, templates, client_spans, metrics_export)
