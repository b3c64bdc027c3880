from __future__ import annotations

import pytest

from tests.support.clock import ManualClock
from veneer.core.fields import Fields
from veneer.core.messages import RequestHead
from veneer.observe.client_spans import ClientSpans, request_attributes
from veneer.observe.spans import Span
from veneer.ports import ServerName, UpstreamFailure

SERVER = ServerName("https://app:8443/api", "app", 8443, "10.0.0.7")
TRACED = Fields([("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), ("X-Request-ID", "r1")])


def head(method: str = "GET", path: str = "/a", query: str | None = None) -> RequestHead:
    return RequestHead(method, path, query, "example.org", TRACED)


def test_a_request_is_named_as_the_conventions_have_it() -> None:
    assert request_attributes(head(query="page=2&token=hush"), SERVER, 0) == {
        "http.request.method": "GET",
        "url.full": "https://app:8443/api/a?page=2&token=***",
        "server.address": "app",
        "server.port": 8443,
        "network.peer.address": "10.0.0.7",
        "veneer.request_id": "r1",
    }
    named = request_attributes(head("OPTIONS", "*"), ServerName("http://localhost", "/run/app.sock"), 2)
    assert named["url.full"] == "http://localhost"
    assert named["server.address"] == "/run/app.sock"
    assert named["http.request.resend_count"] == 2
    assert "server.port" not in named


def test_a_method_that_nobody_knows_is_no_name_of_a_span() -> None:
    kept: list[Span] = []
    span = ClientSpans(kept.append, ManualClock()).begin(head("BREW"), SERVER, 0)
    assert span is not None
    span.end(None)
    assert kept[0].name == "HTTP"
    assert kept[0].attributes["http.request.method"] == "_OTHER"
    assert kept[0].attributes["http.request.method_original"] == "BREW"


def test_it_tells_when_the_head_came_and_when_all_was_over() -> None:
    clock, kept = ManualClock(), list[Span]()
    span = ClientSpans(kept.append, clock).begin(head(), SERVER, 0)
    assert span is not None
    began = clock.now()
    clock.advance(0.25)
    span.answered(200)
    clock.advance(0.75)
    span.end(None)
    span.end(UpstreamFailure.RESET)
    (made,) = kept
    assert made.start_ns == pytest.approx(began * 1e9)
    assert made.end_ns - made.start_ns == 1_000_000_000
    assert made.attributes["veneer.head_ms"] == pytest.approx(250)
    assert not made.is_error


def test_ids_are_never_zero() -> None:
    span = ClientSpans(lambda _span: None, ManualClock(), bits=lambda _bits: 0).begin(head(), SERVER, 0)
    assert span is not None
    assert int(span.request.fields.lines("traceparent")[0].split("-")[2], 16)
