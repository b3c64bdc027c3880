"""Metrics that a real proxy sends: of one process, and of several together."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from devstack.process import wait_until
from devstack.proxy import ProxyOptions, ProxyServer
from tests.support.client import fetch
from tests.support.collector import collector
from tests.support.origin import answering, running_origin
from tests.support.otlp import SentMetrics, metrics_of

pytestmark = pytest.mark.slow

NewProxy = Callable[[ProxyOptions], ProxyServer]
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nplain"
ASKED = 12


@pytest.mark.parametrize("workers", [None, 2])
async def test_all_requests_are_counted_once_and_the_last_ones_too(
    new_proxy: NewProxy, redis_url: str, workers: int | None
) -> None:
    pytest.importorskip("opentelemetry.sdk")
    async with running_origin(answering(PLAIN)) as origin:
        with collector() as kept:
            env = {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": kept.url, "VENEER_NODE": "pod-1"}
            env["OTEL_METRIC_EXPORT_INTERVAL"] = "200"
            options = ProxyOptions(origin.url, redis_url=redis_url, workers=workers, env=env)
            proxy = await asyncio.to_thread(new_proxy, options)
            for number in range(ASKED):
                await asyncio.to_thread(fetch, f"{proxy.url}/{number % 2}")
            assert await asyncio.to_thread(
                wait_until, lambda: any(requests(one) == ASKED for one in metrics_of(kept)), timeout_s=30
            )
            await asyncio.to_thread(fetch, f"{proxy.url}/last")
            assert await asyncio.to_thread(proxy.stop)
    sent = metrics_of(kept)
    counted = [requests(one) for one in sent]
    assert counted == sorted(counted)  # none is of one worker alone
    assert counted[-1] == ASKED + 1
    assert sent[-1].total("veneer_request_duration_seconds_count") == ASKED + 1
    assert sent[-1].total("process_resident_memory_bytes") > 0
    assert {one.resource["service.instance.id"] for one in sent} == {"pod-1"}


def requests(sent: SentMetrics) -> float:
    return sent.total("veneer_requests_total")


WITHOUT_THE_EXTRA = """
import sys
sys.modules["opentelemetry.exporter.otlp.proto.http.metric_exporter"] = None
from veneer.cli.main import main
sys.exit(main(["serve", "--listen", "127.0.0.1:0", "--admin", "off", *sys.argv[1:]]))
"""


@pytest.mark.parametrize("flags", [[], ["--workers", "2", "--redis", "redis://127.0.0.1:1"]])
def test_without_the_extra_it_does_not_start_and_says_what_to_install(flags: list[str]) -> None:
    env = os.environ | {"OTEL_METRICS_EXPORTER": "otlp"}
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_EXTRA, *flags],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr == 'OTEL_METRICS_EXPORTER=otlp needs OpenTelemetry: pip install "veneer[otel]"\n'
