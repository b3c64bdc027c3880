from __future__ import annotations

import sys

import msgspec
import pytest

from tests.support.collector import collector
from tests.unit.veneer.observe.records import record
from veneer.core.fields import Fields
from veneer.core.trace import TraceParent
from veneer.observe.settings import ObserveSettingsError, Sampler
from veneer.observe.tracing import OwnSpans, SpanExporter, attributes
from veneer.pipeline.exchange import ExchangeRecord, Refusal

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CAME = Fields([("Traceparent", f"00-{TRACE}-{SPAN}-00"), ("tracestate", "a=b"), ("Accept", "*/*")])


def ones(_bits: int) -> int:
    return 1


def test_an_own_span_continues_the_clients_trace() -> None:
    fields, place, parent = OwnSpans(ones).enter(CAME)
    assert place == TraceParent(TRACE, f"{1:016x}", sampled=False)
    assert parent == SPAN
    assert fields.lines("traceparent") == (f"00-{TRACE}-{1:016x}-00",)
    assert fields.get("tracestate") == "a=b"


def test_an_own_trace_begins_where_none_or_nonsense_came() -> None:
    fields, place, parent = OwnSpans(ones).enter(Fields([("traceparent", "nonsense"), ("tracestate", "a=b")]))
    assert place == TraceParent(f"{1:032x}", f"{1:016x}", sampled=True)
    assert parent == ""
    assert fields.pairs == (("traceparent", str(place)),)


def test_ids_are_never_zero() -> None:
    place = OwnSpans(lambda _bits: 0).enter(Fields())[1]
    assert place is not None
    assert int(place.trace_id, 16)
    assert int(place.span_id, 16)


def test_sampled_exchanges_arrive_as_spans() -> None:
    pytest.importorskip("opentelemetry.sdk")
    with collector() as kept:
        exporter = SpanExporter(f"{kept.url}/v1/traces", templates={"users": "/users/{id}"})
        sampled = {"trace_id": TRACE, "span_id": SPAN, "sampled": True}
        exporter(record(route="users", query="q=1", status=502, error="reset", parent_id="b7ad6b7169203331", **sampled))
        exporter(record(route="unsampled", trace_id=TRACE, span_id=SPAN))
        exporter.close()
    ((path, body),) = kept.posts
    assert path == "/v1/traces"
    assert bytes.fromhex(TRACE) in body
    assert bytes.fromhex(SPAN) in body
    assert bytes.fromhex("b7ad6b7169203331") in body
    assert b"GET /users/{id}" in body
    assert b"http.route" in body
    assert b"http.response.status_code" in body
    assert b"unsampled" not in body


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ObserveSettingsError, match=r"veneer\[otel\]"):
        SpanExporter("http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("sampler", "begun", "came_sampled", "came_unsampled"),
    [
        (Sampler(), True, True, False),
        (Sampler(0.0), False, True, False),
        (Sampler(1.0, parent_based=False), True, True, True),
        (Sampler(0.0, parent_based=False), False, False, False),
    ],
)
def test_the_sampler_decides(sampler: Sampler, begun: bool, came_sampled: bool, came_unsampled: bool) -> None:
    spans = OwnSpans(sampler=sampler)

    def sampled(*lines: tuple[str, str]) -> bool:
        place = spans.enter(Fields(lines))[1]
        assert place is not None
        return place.sampled

    assert sampled() is begun
    assert sampled(("traceparent", f"00-{TRACE}-{SPAN}-01")) is came_sampled
    assert sampled(("traceparent", f"00-{TRACE}-{SPAN}-00")) is came_unsampled


def test_a_share_of_traces_is_taken_by_their_ids_as_opentelemetry_does() -> None:
    sdk = pytest.importorskip("opentelemetry.sdk.trace.sampling")
    theirs = sdk.TraceIdRatioBased(0.25)
    for number in (0, 2**62 - 1, 2**62, 2**64 - 1, 2**64 + 5):
        decided = theirs.should_sample(None, number, "x").decision.is_sampled()
        assert Sampler(0.25, parent_based=False).samples(f"{number:032x}", None) is decided


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (record(status=502, error="connect: 10.0.0.7:7071: refused", refused=Refusal.UPSTREAM), "connect"),
        (record(status=429, refused=Refusal.RATE, error="too many"), "rate"),
        (record(status=500), "500"),
        (record(status=200, error="the client closed the connection"), "broken-off"),
        (record(status=404), None),
    ],
)
def test_kinds_of_errors_are_few_and_their_text_stands_apart(made: ExchangeRecord, kind: str | None) -> None:
    named = attributes(made)
    assert named.get("error.type") == kind
    assert named.get("veneer.error") == (made.error or None)
    assert named["url.scheme"] == "http"
    assert attributes(msgspec.structs.replace(made, scheme="https"))["url.scheme"] == "https"
    assert "http.route" not in named
