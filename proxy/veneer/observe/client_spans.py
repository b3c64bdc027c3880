"""CLIENT spans: one for each attempt to have a request answered by a backend.

Attributes and names as OpenTelemetry's semantic conventions for HTTP clients have them, and the proxy's own under
"veneer.".
"""

from __future__ import annotations

from collections.abc import Callable
from secrets import randbits
from typing import Final

from veneer.core.messages import RequestHead
from veneer.core.redact import redacted
from veneer.core.trace import TraceParent, trace_parent
from veneer.observe.spans import Attributes, Span, SpanKind, known_method, nanoseconds
from veneer.ports import Clock, OutgoingSpan, ServerName, UpstreamFailure

_CLIENT_ERROR: Final = 400
"""From this status on a CLIENT span is one of an error (semantic conventions, "HTTP client span")."""


class ClientSpans:
    """Implements `veneer.ports.OutgoingSpans`.

    A request that has no valid traceparent is none that a client's request has caused (a health check), and one of a
    trace that is not sampled needs no span: both are sent as they are.
    """

    def __init__(self, keep: Callable[[Span], None], clock: Clock, bits: Callable[[int], int] = randbits) -> None:
        """`keep` is given each span once it has ended; it must neither block nor raise."""
        self._keep = keep
        self._clock = clock
        self._bits = bits

    def begin(self, request: RequestHead, server: ServerName, resend_count: int) -> OutgoingSpan | None:
        """A span within the one that the request's traceparent names."""
        parent = trace_parent(request.fields)
        if parent is None or not parent.sampled:
            return None
        own = TraceParent(parent.trace_id, f"{self._bits(64) or 1:016x}", sampled=True)
        told = request.with_fields(request.fields.replaced("traceparent", str(own)))
        named = request_attributes(request, server, resend_count)
        return _ClientSpan(told, Span(own, parent.span_id, SpanKind.CLIENT, named), self._keep, self._clock)


class _ClientSpan:
    """One that is open."""

    __slots__ = ("_answered_s", "_began_s", "_clock", "_keep", "_span", "_status", "request")

    def __init__(self, request: RequestHead, span: Span, keep: Callable[[Span], None], clock: Clock) -> None:
        self.request = request
        self._span: Span | None = span
        self._keep = keep
        self._clock = clock
        span.start_ns = nanoseconds(clock.now())
        self._began_s = clock.monotonic()
        self._answered_s: float | None = None
        self._status = 0

    def answered(self, status: int) -> None:
        """The final head is here."""
        self._status = status
        self._answered_s = self._clock.monotonic()

    def end(self, failure: UpstreamFailure | None) -> None:
        """It is over."""
        span, self._span = self._span, None
        if span is None:
            return
        now_s, named = self._clock.monotonic(), span.attributes
        span.end_ns = span.start_ns + nanoseconds(now_s - self._began_s)
        if self._answered_s is not None:
            named["http.response.status_code"] = self._status
            named["network.protocol.version"] = "1.1"
            named["veneer.head_ms"] = (self._answered_s - self._began_s) * 1000
        if failure is not None or self._status >= _CLIENT_ERROR:
            named["error.type"] = str(self._status) if failure is None else failure.value
            span.is_error = True
        self._keep(span)


def request_attributes(request: RequestHead, server: ServerName, resend_count: int) -> Attributes:
    """What is known of a request before it is sent."""
    method, original = known_method(request.method)
    target = "" if request.path == "*" else request.path
    query = "" if request.query is None else f"?{redacted(request.query)}"
    named: dict[str, str | int | float] = {
        "http.request.method": method,
        "http.request.method_original": original,
        "http.request.resend_count": resend_count,
        "url.full": f"{server.origin}{target}{query}",
        "server.address": server.address,
        "server.port": server.port,
        "network.peer.address": server.peer,
        "veneer.request_id": request.fields.joined.get("x-request-id", ""),
    }
    return {name: value for name, value in named.items() if value not in {"", 0}}
