"""Spans of a real proxy, as a collector gets them: of what clients ask, and within it of what backends are asked."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from devstack.process import free_port, wait_until
from devstack.proxy import ProxyOptions, ProxyServer
from tests.support.client import fetch
from tests.support.collector import Collector, collector
from tests.support.origin import OriginConnection, read_body, running_origin
from tests.support.otlp import SentSpan, spans_of

pytestmark = pytest.mark.slow

POLICY = """
version: 1
upstreams:
  well: {{url: "{url}"}}
  gone: {{url: "http://127.0.0.1:{closed}", retries: {{refused: 0s}}}}
  two: {{targets: [{{url: "http://127.0.0.1:{closed}"}}, {{url: "{url}"}}], preserve_host: false}}
routes:
  - {{name: kept, match: {{path: "/kept/{{name}}"}}, upstream: well, cache: {{ttl: 1h}}}}
  - {{name: checked, match: {{path: /checked}}, upstream: well, cache: {{}}}}
  - {{name: refreshed, match: {{path: /refreshed}}, upstream: well, cache: {{}}}}
  - {{name: refused, match: {{path: /refused}}, upstream: gone, cache: {{enabled: false}}}}
  - {{name: moved, match: {{path: /moved}}, upstream: two, cache: {{enabled: false}}}}
  - {{name: rest, match: {{path: "/{{rest:path}}"}}, upstream: well}}
"""
FIELDS = {
    "/checked": b'Cache-Control: no-cache\r\nETag: "1"\r\n',
    "/refreshed": b"Cache-Control: max-age=0, stale-while-revalidate=600\r\n",
}


async def service(connection: OriginConnection) -> None:
    while True:
        head = await connection.request_head()
        await read_body(connection, head)
        path = head.split()[1].decode()
        answer = b"304 Not Modified" if b"if-none-match" in head.lower() else b"200 OK"
        content = b"" if answer.startswith(b"304") else b"Content-Length: 2\r\n\r\nhi"
        await connection.send(b"HTTP/1.1 " + answer + b"\r\n" + FIELDS.get(path, b"") + (content or b"\r\n"))


def told(heads: list[bytes], path: str) -> list[str]:
    """The spans that the backend was told for this path."""
    found = []
    for head in heads:
        if head.split()[1].decode() == path:
            (line,) = [line for line in head.decode().split("\r\n") if line.lower().startswith("traceparent: ")]
            found.append(line.split("-")[2])
    return found


async def test_what_backends_are_asked_is_within_what_clients_ask(tmp_path: Path) -> None:
    pytest.importorskip("opentelemetry.sdk")
    async with running_origin(service) as origin:
        with collector() as kept:
            policies = tmp_path / "policies.yaml"
            policies.write_text(POLICY.format(url=origin.url, closed=free_port()))
            env = {"APM_ENABLED": "true", "OTLP_ENDPOINT": kept.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}
            proxy = ProxyServer(ProxyOptions(None, policies, env=env), tmp_path)
            await asyncio.to_thread(proxy.start)
            try:
                for path in ("kept/a?token=hush", "kept/a?token=hush", "checked", "checked", "refreshed", "refreshed"):
                    await asyncio.to_thread(fetch, f"{proxy.url}/{path}")
                for path in ("refused", "moved", "moved"):
                    await asyncio.to_thread(fetch, f"{proxy.url}/{path}")
                await asyncio.to_thread(fetch, f"{proxy.url}/written", "POST", body=b"hi")
                assert await asyncio.to_thread(
                    wait_until, lambda: len(told(origin.heads, "/refreshed")) == 2, timeout_s=30
                )
            finally:
                assert await asyncio.to_thread(proxy.stop)  # which sends what it has
        hold(spans_of(kept), origin.heads, origin.url)


def refreshes(kept: Collector) -> int:
    return sum(str(span.attributes.get("url.full", "")).endswith("/refreshed") for span in spans_of(kept))


def hold(spans: list[SentSpan], heads: list[bytes], url: str) -> None:
    """Each request is a span, and each attempt one within it, which the backend knows."""
    servers = {span.span_id: span for span in spans if span.kind == "server"}

    def attempts(path: str) -> list[SentSpan]:
        return [
            span for span in spans if span.kind == "client" and servers[span.parent_id].attributes["url.path"] == path
        ]

    def outcomes(path: str) -> list[object]:
        return [
            one.attributes.get("http.response.status_code", one.attributes.get("error.type")) for one in attempts(path)
        ]

    assert len(servers) == 10
    assert outcomes("/kept/a") == [200]  # the second was a hit
    assert outcomes("/checked") == [200, 304]
    assert outcomes("/refreshed") == [200, 200]  # that in the background is the second request's
    assert len({span.parent_id for span in attempts("/refreshed")}) == 2
    assert outcomes("/refused") == ["connect"]
    assert outcomes("/written") == [200]
    assert {"connect", 200} == set(outcomes("/moved"))
    again = [one.attributes.get("http.request.resend_count") for one in attempts("/moved")]
    assert again.count(1) == outcomes("/moved").count("connect")
    for path in ("/checked", "/refreshed", "/written"):
        assert [span.span_id for span in attempts(path)] == told(heads, path)
    (miss,) = attempts("/kept/a")
    assert miss.attributes["url.full"] == f"{url}/kept/a?token=***"
    assert miss.attributes["server.address"] == "127.0.0.1"
    assert miss.trace_id == servers[miss.parent_id].trace_id
    assert (miss.name, servers[miss.parent_id].name) == ("GET", "GET /kept/{name}")
