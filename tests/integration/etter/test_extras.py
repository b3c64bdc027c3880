"""Tracing and error tracking: off by default, and what they send when on."""

from __future__ import annotations

import dataclasses
import gzip
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import brotli
import pytest
from aiohttp.test_utils import TestClient, TestServer
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import text

from devstack.backend import BackendServer
from devstack.callers import bearer, development_settings
from etter.app import make_app, make_parts
from etter.cli import main
from etter.observe.extras import Extras, start_extras
from etter.observe.tracing import Tracing
from etter.settings import Settings, SettingsError, load_settings
from tests.integration.etter.conftest import Client

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


@pytest.mark.parametrize(("rate", "spans"), [(0.0, 0), (1.0, 1), (None, 1)])
async def test_a_share_of_the_traces_is_sent(settings: Settings, rate: float | None, spans: int) -> None:
    exporter = InMemorySpanExporter()
    parts = make_parts(settings)
    tracing = Tracing(exporter, parts.database.engine, settings.environment, rate)
    traced = dataclasses.replace(parts, extras=Extras((tracing.middleware(),), (tracing.stop,)))
    client: Client = TestClient(TestServer(make_app(traced)))
    await client.start_server()
    assert (await client.get("/health")).status == 200
    await client.close()
    assert len(exporter.get_finished_spans()) == spans


def test_spans_arrive_at_the_collectors_path(sink: ThreadingHTTPServer, settings: Settings) -> None:
    values = {"APM_ENABLED": "true", "OTLP_ENDPOINT": f"http://127.0.0.1:{sink.server_port}"}
    parts = make_parts(settings)
    started = start_extras(load_settings(values), parts.database.engine)
    with parts.database.engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    started.stop()
    parts.database.close()
    assert sink.paths == ["/v1/traces"]  # type: ignore[attr-defined]


async def test_spans_continue_the_callers_trace(settings: Settings) -> None:
    exporter = InMemorySpanExporter()
    parts = make_parts(settings)
    tracing = Tracing(exporter, parts.database.engine, "staging")
    traced = dataclasses.replace(parts, extras=Extras((tracing.middleware(),), (tracing.stop,)))
    client: Client = TestClient(TestServer(make_app(traced)))
    await client.start_server()
    headers = bearer(settings) | {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    assert (await client.get("/api/etter/companies/7", headers=headers)).status == 200
    await client.close()
    spans = exporter.get_finished_spans()
    request = next(span for span in spans if span.name == "GET /api/etter/companies/{id}")
    statements = [span for span in spans if span.name == "db"]
    assert request.parent is not None
    assert request.context is not None
    assert (f"{request.context.trace_id:032x}", f"{request.parent.span_id:016x}") == (TRACE, PARENT)
    assert request.resource.attributes["deployment.environment.name"] == "staging"
    assert request.attributes is not None
    assert request.attributes["http.response.status_code"] == 200
    assert len(statements) == 3  # whether the caller still works there, and the two of the detail
    assert all(span.parent is not None and span.parent.span_id == request.context.span_id for span in statements)


def test_nothing_runs_by_default(settings: Settings) -> None:
    parts = make_parts(settings)
    assert parts.extras == Extras()
    parts.database.close()


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"ERROR_TRACKING_ENABLED": "true"}, "SENTRY_DSN"),
        ({"APM_ENABLED": "true"}, "OTLP_ENDPOINT"),
    ],
)
def test_a_switch_without_its_address_is_refused(
    settings: Settings, values: dict[str, str], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = make_parts(settings)
    with pytest.raises(SettingsError, match=problem):
        start_extras(load_settings(values), parts.database.engine)
    parts.database.close()
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    assert main(["serve", "--listen", "127.0.0.1:0"]) == 2


def test_bad_flags_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for flags in (["--listen", "nowhere"], ["--set", "DB_POOL_SIZE"], ["--set", "DB_POOL_SIZE=x"]):
        assert main(["serve", *flags]) == 2
        assert capsys.readouterr().err.startswith("etter: ")


class _Sink(BaseHTTPRequestHandler):
    """Takes whatever error tracking sends."""

    bodies: list[bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        decode = {"br": brotli.decompress, "gzip": gzip.decompress}.get(self.headers["Content-Encoding"], bytes)
        self.server.paths.append(self.path)  # type: ignore[attr-defined]
        self.server.bodies.append(decode(body))  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_facts: object) -> None:
        """Say nothing."""


@pytest.fixture
def sink() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Sink)
    server.bodies, server.paths = [], []  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_refused_statements_are_reported_without_what_is_personal(
    sink: ThreadingHTTPServer, database_url: str, tmp_path: Path
) -> None:
    dsn = f"http://public@127.0.0.1:{sink.server_port}/1"
    env = {"ERROR_TRACKING_ENABLED": "true", "SENTRY_DSN": dsn, "PYTHONWARNINGS": "ignore"}
    env |= {"TRACE_SAMPLE_RATE": "1"}
    # The database is empty: every statement is refused.
    server = BackendServer(database_url, tmp_path, env=env)
    server.start()
    token = bearer(development_settings())["Authorization"]
    fields = {"Authorization": token, "X-Company-Pass": "7.1.0123", "X-Api-Key": "key-of-somebody"}
    request = urllib.request.Request(f"{server.url}/api/etter/workflows?q=Nadia", headers=fields)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10)
    assert refused.value.code == 500
    assert b"DATABASE_ERROR" in refused.value.read()
    refused.value.close()
    server.stop()
    sent = b"".join(sink.bodies)  # type: ignore[attr-defined]
    assert b"UndefinedTable" in sent
    assert b'"environment":"development"' in sent.replace(b": ", b":")
    for secret in (token.removeprefix("Bearer "), "7.1.0123", "key-of-somebody", "Nadia"):
        assert secret.encode() not in sent
