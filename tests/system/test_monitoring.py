"""docs/monitoring.md, the alert rules and the dashboard, before a Prometheus that scrapes a real proxy."""

from __future__ import annotations

import asyncio
import math
import re
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from pathlib import Path

import msgspec
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from devstack.process import ROOT, Launch, ManagedProcess, free_port, wait_until
from devstack.proxy import ProxyOptions, ProxyServer
from devstack.redis import RedisServer
from tests.support.client import fetch
from tests.support.origin import answering, running_origin

MONITORING = ROOT / "deploy" / "monitoring"
PAGE = (ROOT / "docs" / "monitoring.md").read_text("utf-8")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("prometheus") is None or shutil.which("promtool") is None,
        reason="needs prometheus and promtool (Debian: prometheus)",
    ),
]

KEPT = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 5\r\n\r\nhello"
POLICY = """
version: 1
upstreams:
  well: {{url: "{url}", health: {{path: /}}}}
  gone: {{url: "http://127.0.0.1:1", breaker: {{}}}}
routes:
  - {{name: pages, match: {{path: "/pages/{{rest:path}}"}}, upstream: well, cache: {{ttl: 1m}}}}
  - {{name: dead, match: {{path: "/dead/{{rest:path}}"}}, upstream: gone, cache: {{ttl: 1m}}}}
  - {{name: uncached, match: {{path: /uncached}}, upstream: well, cache: {{enabled: false}}}}
  - {{name: unasked, match: {{path: /unasked}}, upstream: well}}
"""
SCRAPES = """
global: {{scrape_interval: 250ms, scrape_timeout: 250ms}}
scrape_configs:
  - job_name: veneer
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""

Sample = tuple[dict[str, str], float]


class Answered(msgspec.Struct):
    metric: dict[str, str]
    value: tuple[float, str]


class Prometheus:
    """One that scrapes a proxy."""

    def __init__(self, scraped: int, directory: Path) -> None:
        config = directory / "prometheus.yml"
        config.write_text(SCRAPES.format(port=scraped))
        self.url = f"http://127.0.0.1:{free_port()}"
        argv = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={directory / 'series'}"]
        argv += [f"--web.listen-address={self.url.removeprefix('http://')}", "--log.level=warn"]
        self._process = ManagedProcess(Launch("prometheus", argv, directory / "prometheus.log"))

    @contextmanager
    def running(self) -> Iterator[Prometheus]:
        self._process.start()
        try:
            assert wait_until(lambda: bool(self.ask("up")), timeout_s=30)
            yield self
        finally:
            self._process.stop(timeout_s=10)

    def ask(self, query: str) -> list[Sample]:
        """The answer to an instant query; none while it cannot be asked. Raises ValueError for what is no query."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            url = f"{self.url}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
            with opener.open(url, timeout=5) as response:
                told = msgspec.json.decode(response.read(), type=dict[str, msgspec.Raw])
        except urllib.error.HTTPError as error:
            if error.code == HTTPStatus.SERVICE_UNAVAILABLE:  # it starts
                return []
            raise ValueError(f"{query}: {error.read().decode()}") from error
        except OSError:
            return []
        data = msgspec.json.decode(told["data"], type=dict[str, msgspec.Raw])
        found = msgspec.json.decode(data["result"], type=list[Answered])
        return [(one.metric, float(one.value[1])) for one in found]

    def by(self, query: str, label: str) -> dict[str, float]:
        return {labels.get(label, ""): value for labels, value in self.ask(query)}


def queries() -> list[str]:
    """Those of the page, in its order."""
    return [text.strip() for text in re.findall(r"```promql\n(.*?)```", PAGE, re.DOTALL)]


def panels() -> list[str]:
    """Those of the dashboard, for the job and instance that are there."""
    dashboard = msgspec.json.decode((MONITORING / "grafana.json").read_bytes())
    found = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    values = {"$job": "veneer", "$instance": ".*", "$__rate_interval": "1m"}
    for name, value in values.items():
        found = [query.replace(name, value) for query in found]
    assert not [query for query in found if "$" in query]
    return found


def rules() -> dict[str, str]:
    """The alerts' expressions, by their names."""
    groups = yaml.safe_load((MONITORING / "alerts.yml").read_text("utf-8"))["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


def metrics_in(query: str) -> set[str]:
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"\b(?:veneer|process)_\w+", query)}


@asynccontextmanager
async def scraped_proxy(redis: RedisServer, directory: Path) -> AsyncIterator[tuple[ProxyServer, Prometheus]]:
    async with running_origin(answering(KEPT)) as origin:
        policies = directory / "policies.yaml"
        policies.write_text(POLICY.format(url=origin.url))
        proxy = ProxyServer(ProxyOptions(upstream=None, policies=policies, redis_url=redis.url), directory)
        await asyncio.to_thread(proxy.start)
        try:
            with Prometheus(proxy.admin_port, directory).running() as prometheus:
                yield proxy, prometheus
        finally:
            await asyncio.to_thread(proxy.stop)


async def traffic(proxy: ProxyServer) -> None:
    """Hits, misses, look-ups that fail, a purge, in several scrapes."""
    for round_ in range(4):
        for path in (
            "/pages/a",
            "/pages/a",
            "/pages/a",
            f"/pages/{round_}",
            f"/dead/{round_}",
            "/uncached",
            "/uncached",
        ):
            await asyncio.to_thread(fetch, proxy.url + path)
        await asyncio.to_thread(proxy.purge, {"tags": ["nothing"]})
        await asyncio.sleep(0.6)


def is_known(names: set[str], query: str) -> bool:
    return {name.removesuffix("_total") for name in metrics_in(query)} <= names


async def test_every_question_of_the_page_is_answered(redis_server: RedisServer, tmp_path: Path) -> None:
    async with scraped_proxy(redis_server, tmp_path) as (proxy, prometheus):
        await traffic(proxy)
        ask = asyncio.to_thread
        for query in queries():
            values = [value for _, value in await ask(prometheus.ask, query)]
            assert values, f"no answer to {query}"
            assert not all(map(math.isnan, values)), f"nothing is known of {query}"
        hits = await ask(prometheus.by, queries()[0], "route")
        assert 0.4 < hits["pages"] < 1
        assert hits["dead"] == 0, "a look-up whose fetch failed was none that the cache could answer"
        assert math.isnan(hits["uncached"]), "who never looks is no miss, on the fast path neither"
        assert math.isnan(hits["unasked"]), "its series are there, and say nothing"
        errors = await ask(prometheus.by, queries()[3], "route")
        assert (errors["dead"], errors["pages"]) == (1, 0)
        up = await ask(prometheus.by, "veneer_upstream_up", "upstream")
        assert up["well"] == 1
        metrics = await asyncio.to_thread(fetch, f"{proxy.admin_url}/metrics")
        names = {family.name for family in text_string_to_metric_families(metrics.body.decode())}
        for query in (*queries(), *panels(), *rules().values()):
            await ask(prometheus.ask, query)
            assert is_known(names, query), query


def test_the_rules_fire_when_they_should_and_not_before() -> None:
    told = subprocess.run(
        ["promtool", "test", "rules", "alerts.test.yml"], cwd=MONITORING, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stdout + told.stderr


def test_every_rule_is_tested_both_ways_and_explained() -> None:
    tests = yaml.safe_load((MONITORING / "alerts.test.yml").read_text("utf-8"))["tests"]
    tried = {
        (test["name"].split(",")[0], any("exp_alerts" in one for one in test["alert_rule_test"])) for test in tests
    }
    assert tried == {(alert, fires) for alert in rules() for fires in (True, False)}
    assert re.findall(r"^\| (Veneer\w+) \|", PAGE, re.MULTILINE) == list(rules())
