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

from devstack.backend import BackendServer
from devstack.callers import bearer
from etter.app import make_app, make_parts
from etter.cli import main
from etter.observe.extras import Extras, start_extras
from etter.observe.tracing import Tracing
from etter.settings import Settings, SettingsError, load_settings
from tests.integration.etter.conftest import Client

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


async def test_spans_continue_the_callers_trace(settings: Settings) -> None:
    exporter = InMemorySpanExporter()
    parts = make_parts(settings)
    tracing = Tracing(exporter, parts.database.engine)
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
    assert request.attributes is not None
    assert request.attributes["http.response.status_code"] == 200
    assert len(statements) == 2
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
        self.server.bodies.append(decode(body))  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_facts: object) -> None:
        """Say nothing."""


@pytest.fixture
def sink() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Sink)
    server.bodies = []  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_refused_statements_are_reported_without_the_token(
    sink: ThreadingHTTPServer, database_url: str, tmp_path: Path
) -> None:
    dsn = f"http://public@127.0.0.1:{sink.server_port}/1"
    env = {"ERROR_TRACKING_ENABLED": "true", "SENTRY_DSN": dsn, "PYTHONWARNINGS": "ignore"}
    # The database is empty: every statement is refused.
    server = BackendServer(database_url, tmp_path, env=env)
    server.start()
    token = bearer(load_settings({}))["Authorization"]
    request = urllib.request.Request(f"{server.url}/api/etter/workflows", headers={"Authorization": token})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10)
    assert refused.value.code == 500
    assert b"DATABASE_ERROR" in refused.value.read()
    refused.value.close()
    server.stop()
    sent = b"".join(sink.bodies)  # type: ignore[attr-defined]
    assert b"UndefinedTable" in sent
    assert token.encode() not in sent
