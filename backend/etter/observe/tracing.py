"""OpenTelemetry: a span for each request, continued from the proxy's, and one for each statement in it."""

from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from opentelemetry import context, propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind
from sqlalchemy import Connection, Engine, event

_SPAN = "etter_span"


class Tracing:
    """Makes spans and sends them; `stop` flushes what is left."""

    def __init__(
        self, exporter: SpanExporter, engine: Engine, environment: str, sample_rate: float | None = None
    ) -> None:
        facts = {"service.name": "etter", "deployment.environment.name": environment}
        # Without a rate OpenTelemetry's own variables count (OTEL_TRACES_SAMPLER).
        sampler = None if sample_rate is None else ParentBased(TraceIdRatioBased(sample_rate))
        self._provider = TracerProvider(sampler, Resource.create(facts))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("etter")
        event.listen(engine, "before_cursor_execute", self._before)
        event.listen(engine, "after_cursor_execute", self._after)
        event.listen(engine, "handle_error", self._failed)

    @classmethod
    def over_http(cls, url: str, engine: Engine, environment: str, sample_rate: float | None) -> "Tracing":
        """Send spans to an OTLP collector; `url` is that of its traces."""
        return cls(OTLPSpanExporter(endpoint=url), engine, environment, sample_rate)

    def middleware(self) -> Middleware:
        """Make the middleware that opens the request's span."""

        @web.middleware
        async def traced(request: web.Request, handler: Handler) -> web.StreamResponse:
            resource = request.match_info.route.resource
            route = resource.canonical if resource is not None else "unmatched"
            token = context.attach(propagate.extract(dict(request.headers)))
            try:
                with self._tracer.start_as_current_span(f"{request.method} {route}", kind=SpanKind.SERVER) as span:
                    response = await handler(request)
                    span.set_attributes({"http.route": route, "http.response.status_code": response.status})
                    return response
            finally:
                context.detach(token)

        return traced

    def stop(self) -> None:
        """Send what is left."""
        self._provider.shutdown()

    def _before(self, connection: Connection, *facts: Any) -> None:
        # The statement's text holds no values: they travel apart.
        connection.info[_SPAN] = self._tracer.start_span(
            "db", context=context.get_current(), attributes={"db.system": "postgresql", "db.statement": facts[1][:500]}
        )

    def _after(self, connection: Connection, *_facts: Any) -> None:
        _end(connection.info.pop(_SPAN, None))

    def _failed(self, error: Any) -> None:
        if error.connection is not None:
            _end(error.connection.info.pop(_SPAN, None))


def _end(span: Span | None) -> None:
    if span is not None and span is not trace.INVALID_SPAN:
        span.end()
