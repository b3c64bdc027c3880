"""Traces: where they are switched on, a span of the proxy's own for each exchange. Otherwise they pass as they came.

A span for each time that a backend is asked is within it (`observe.client_spans`). That of the exchange is made from
its record when it has ended. OpenTelemetry's batch processor takes them without waiting, bounded, and sends them from
its own thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from secrets import randbits

from veneer.core.fields import Fields
from veneer.core.trace import TraceParent, trace_parent
from veneer.observe.settings import ObserveSettingsError, Sampler
from veneer.observe.spans import Attributes, Span, SpanKind, known_method, nanoseconds
from veneer.pipeline.exchange import CacheResult, ExchangeRecord
from veneer.ports import UpstreamFailure

_EVERY_TRACE = Sampler()


class OwnSpans:
    """Continues the client's trace, or begins one, with a new span; the backend sees it as its parent."""

    def __init__(self, bits: Callable[[int], int] = randbits, sampler: Sampler = _EVERY_TRACE) -> None:
        self._bits = bits
        self._sampler = sampler

    def enter(self, fields: Fields) -> tuple[Fields, TraceParent | None, str]:
        """The fields with a traceparent of this exchange's own."""
        parent = trace_parent(fields)
        span_id = f"{self._bits(64) or 1:016x}"
        if parent is None:
            # An invalid traceparent makes tracestate meaningless (section 3.3).
            fields = fields.without(("tracestate",))
            trace_id = f"{self._bits(128) or 1:032x}"
            own = TraceParent(trace_id, span_id, self._sampler.samples(trace_id, None))
        else:
            own = TraceParent(parent.trace_id, span_id, self._sampler.samples(parent.trace_id, parent.sampled))
        return fields.replaced("traceparent", str(own)), own, parent.span_id if parent else ""


class SpanExporter:
    """Sends a span for each sampled record to an OTLP endpoint. Raises ObserveSettingsError without the extra."""

    def __init__(
        self,
        endpoint: str,
        resource: Mapping[str, str] | None = None,
        templates: Mapping[str, str] | None = None,
    ) -> None:
        """`endpoint` is the whole address. `resource` names who sends, beside what OpenTelemetry's variables say.

        `templates` are the paths of the routes in force, by their names.
        """
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - extra
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - extra
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - extra
        except ImportError as error:
            raise ObserveSettingsError('APM_ENABLED needs OpenTelemetry: pip install "veneer[otel]"') from error
        exporter = OTLPSpanExporter(endpoint)
        self._templates = {} if templates is None else templates
        self._resource = Resource.create(dict(resource or {}))
        self._processor = BatchSpanProcessor(exporter)

    def __call__(self, record: ExchangeRecord) -> None:
        """Have the exchange's span sent, if its trace is sampled."""
        if record.sampled:
            self.send(server_span(record, self._templates.get(record.route, "")))

    def send(self, span: Span) -> None:
        """Have a span sent that has ended. What cannot be sent as fast as it comes is dropped."""
        from opentelemetry import trace  # noqa: PLC0415 - extra
        from opentelemetry.sdk.trace import ReadableSpan  # noqa: PLC0415 - extra

        def place(span_id: str, *, remote: bool) -> object:
            flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
            return trace.SpanContext(
                int(span.place.trace_id, 16), int(span_id, 16), is_remote=remote, trace_flags=flags
            )

        server = span.kind is SpanKind.SERVER
        readable = ReadableSpan(
            name=span.name,
            context=place(span.place.span_id, remote=False),
            parent=place(span.parent_id, remote=server) if span.parent_id else None,
            resource=self._resource,
            attributes=span.attributes,
            kind=trace.SpanKind.SERVER if server else trace.SpanKind.CLIENT,
            status=trace.Status(trace.StatusCode.ERROR if span.is_error else trace.StatusCode.UNSET),
            start_time=span.start_ns,
            end_time=span.end_ns,
        )
        self._processor.on_end(readable)

    def close(self) -> None:
        """Send what waits, then end."""
        self._processor.shutdown()


_FAILURES = frozenset(failure.value for failure in UpstreamFailure)


def error_type(record: ExchangeRecord) -> str:
    """What kind of error it was, out of a bounded set, as backends of traces group by it; "" where it was none.

    The failure of the backend, else why the proxy refused, else the status, else that the exchange broke off.
    """
    failure = record.error.partition(":")[0]
    if failure in _FAILURES:
        return failure
    if record.refused is not None:
        return record.refused.value
    return str(record.status) if record.status >= 500 else "broken-off" if record.error else ""


def server_span(record: ExchangeRecord, template: str = "") -> Span:
    """The span of an exchange. It is named by the method and the path of its route, or the route's name."""
    named = attributes(record, template)
    method = "HTTP" if "http.request.method_original" in named else record.method
    start_ns = nanoseconds(record.time)
    return Span(
        TraceParent(record.trace_id, record.span_id, sampled=True),
        record.parent_id,
        SpanKind.SERVER,
        named,
        f"{method} {template or record.route}".strip(),
        start_ns,
        start_ns + nanoseconds(record.duration_ms / 1000),
        record.status >= 500,
    )


def attributes(record: ExchangeRecord, template: str = "") -> Attributes:
    """A span's attributes: OpenTelemetry's names for HTTP servers, and the cache's part under "veneer.".

    `template` is the path of the route as the policy has it: `http.route`, which the route's name is not.
    """
    method, original = known_method(record.method)
    named: dict[str, str | int | float | None] = {
        "http.request.method": method,
        "http.request.method_original": original,
        "http.response.status_code": record.status,
        "http.route": template,
        "url.scheme": record.scheme,
        "url.path": record.path,
        "url.query": record.query,
        "client.address": record.client,
        "user_agent.original": record.user_agent,
        "error.type": error_type(record),
        "veneer.request_id": record.request_id,
        "veneer.route": record.route,
        "veneer.error": record.error,
        "veneer.cache": None if record.cache is CacheResult.NONE else record.cache.value,
        "veneer.cache.reason": record.cache_reason,
        "veneer.upstream_ms": record.upstream_ms,
    }
    return {name: value for name, value in named.items() if value not in {None, ""}}
