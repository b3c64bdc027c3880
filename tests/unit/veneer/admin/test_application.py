from __future__ import annotations

import io
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from tests.support.clock import ManualClock
from tests.unit.veneer.observe.records import quiet_observer, record
from veneer.admin.access import AdminAccess
from veneer.admin.application import build_admin
from veneer.admin.deps import AdminDeps
from veneer.core.entry import Entry, Position
from veneer.core.fields import Fields
from veneer.core.invalidation import Invalidation, Validity
from veneer.observe.gauges import Gauges, StoreGauges
from veneer.observe.metrics import Metrics
from veneer.pipeline.exchange import CacheResult
from veneer.policy.load import default_policy
from veneer.ports import InvalidationLog, Receipt
from veneer.stores.memory_log import MemoryLog

Client = TestClient[web.Request, web.Application]
Start = Callable[[AdminDeps], Awaitable[Client]]
TOKEN = "0123456789abcdef"


class UnsharedLog:
    """A log whose shared part is away."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log

    def __getattr__(self, name: str) -> object:
        return getattr(self._log, name)

    async def append(self, invalidation: Invalidation, *, strict: bool, settles_s: float = 0.0) -> Receipt:
        return replace(await self._log.append(invalidation, strict=strict), shared=False)


@pytest.fixture
def deps() -> AdminDeps:
    clock = ManualClock()
    observer = quiet_observer()
    for use in (CacheResult.HIT, CacheResult.HIT, CacheResult.HIT, CacheResult.MISS, CacheResult.BYPASS):
        observer.begin()
        observer.finish(record(route="users", cache=use))
    gauges = Gauges(stores=(StoreGauges("l1", 1, 100, 1_000), StoreGauges("l2")))

    return AdminDeps(
        access=AdminAccess(None),
        clock=clock,
        log=MemoryLog(clock),
        snapshot=lambda: observer.snapshot(lambda: gauges),
        policy=default_policy,
        metrics=Metrics(lambda: observer.snapshot(lambda: gauges)),
    )


@pytest.fixture
def start(aiohttp_client: Callable[[web.Application], Awaitable[Client]]) -> Start:
    def begin(deps: AdminDeps) -> Awaitable[Client]:
        return aiohttp_client(build_admin(deps))

    return begin


async def up() -> str:
    return "7.2"


async def down() -> str:
    raise ConnectionError("refused")


async def test_alive(start: Start, deps: AdminDeps) -> None:
    answer = await (await start(deps)).get("/health")
    assert (answer.status, await answer.json()) == (200, {"status": "ok", "parts": {}})


async def test_draining_tells_load_balancers_to_go_elsewhere(start: Start, deps: AdminDeps) -> None:
    client = await start(replace(deps, draining=lambda: True))
    for path, status in (("/ready", 503), ("/health/detailed", 503), ("/health", 200)):
        answer = await client.get(path)
        assert (answer.status, (await answer.json())["status"]) == (status, "draining")


async def test_before_it_takes_requests_it_is_neither_alive_nor_ready(start: Start, deps: AdminDeps) -> None:
    client = await start(replace(deps, starting=lambda: True))
    for path in ("/ready", "/health"):
        answer = await client.get(path)
        assert (answer.status, (await answer.json())["status"]) == (503, "starting")


async def test_ready(start: Start, deps: AdminDeps) -> None:
    answer = await (await start(deps)).get("/ready")
    assert (answer.status, (await answer.json())["status"]) == (200, "ok")


async def test_each_part_is_looked_at_and_one_down_is_degraded(start: Start, deps: AdminDeps) -> None:
    client = await start(replace(deps, checks=lambda: {"redis": down, "upstream:etter": up}))
    answer = await client.get("/health/detailed")
    body = await answer.json()
    assert (answer.status, body["status"]) == (200, "degraded")
    assert body["parts"]["redis"] == {"status": "down", "duration_ms": 0.0, "detail": "refused"}
    assert body["parts"]["upstream:etter"]["status"] == "up"


async def test_metrics(start: Start, deps: AdminDeps) -> None:
    answer = await (await start(deps)).get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert 'veneer_cache_requests_total{result="hit",route="users"} 3.0' in await answer.text()


async def test_metrics_can_be_switched_off(start: Start, deps: AdminDeps) -> None:
    answer = await (await start(replace(deps, metrics=None))).get("/metrics")
    assert (answer.status, "ENABLE_METRICS" in (await answer.json())["detail"]) == (404, True)


async def test_statistics(start: Start, deps: AdminDeps) -> None:
    body = await (await (await start(deps)).get("/stats")).json()
    (route,) = body["routes"]
    assert (route["route"], route["requests"], route["hit_rate"]) == ("users", 5, 0.75)
    assert (route["p50_ms"], body["total"]["requests"]) == (2.5, 5)
    assert [store["store"] for store in body["stores"]] == ["l1", "l2"]


async def test_a_purge_is_applied_and_receipted(start: Start, deps: AdminDeps) -> None:
    stored = Entry(200, "OK", Fields(), b"", 0, 0, "h/users/1", deps.log.position, tags=("users:1",))
    client = await start(deps)
    assert deps.log.validity(stored) is Validity.VALID
    answer = await client.post("/purge", json={"tags": ["users:*"]})
    assert answer.status == 200
    receipt = await answer.json()
    assert Position(*receipt["position"]) == deps.log.position
    assert receipt["shared"] is True
    assert deps.log.validity(stored) is Validity.DEAD
    assert deps.purges.by_result == {"applied": 1, "not-shared": 0, "refused": 0}


async def test_a_purge_that_reached_only_this_node_is_not_a_success(start: Start, deps: AdminDeps) -> None:
    client = await start(replace(deps, log=cast("InvalidationLog", UnsharedLog(MemoryLog(ManualClock())))))
    answer = await client.post("/purge", json={"everything": True})
    assert (answer.status, (await answer.json())["shared"]) == (503, False)
    assert deps.purges.by_result == {"applied": 0, "not-shared": 1, "refused": 0}


async def test_a_dry_run_changes_nothing(start: Start, deps: AdminDeps) -> None:
    stored = Entry(200, "OK", Fields(), b"abc", 0, 0, "h/users/1", deps.log.position, tags=("users:1",))
    before = deps.log.position
    client = await start(replace(deps, entries=lambda: [stored]))
    answer = await client.post("/purge", json={"tags": ["users:*"], "dry_run": True})
    assert (await answer.json())["entries"] == 1
    assert sum(deps.purges.by_result.values()) == 0
    assert deps.log.position == before


@pytest.mark.parametrize(
    ("method", "path", "status", "says"),
    [("GET", "/nothing", 404, "Not Found"), ("GET", "/purge", 405, "Method Not Allowed")],
)
async def test_errors_are_problem_details(
    start: Start, deps: AdminDeps, method: str, path: str, status: int, says: str
) -> None:
    answer = await (await start(deps)).request(method, path)
    assert (answer.status, answer.content_type) == (status, "application/problem+json")
    body = await answer.json()
    assert (body["status"], body["title"], body["instance"]) == (status, says, path)


async def test_a_bad_purge_says_why(start: Start, deps: AdminDeps) -> None:
    answer = await (await start(deps)).post("/purge", json={"tags": "users"})
    assert answer.status == 400
    assert "$.tags" in (await answer.json())["detail"]
    assert deps.purges.by_result == {"applied": 0, "not-shared": 0, "refused": 1}


async def test_a_page_of_another_origin_cannot_purge(start: Start, deps: AdminDeps) -> None:
    client = await start(deps)
    plain = await client.post("/purge", data='{"everything": true}', headers={"Content-Type": "text/plain"})
    renamed = await client.post("/purge", json={"everything": True}, headers={"Host": "evil.example:9090"})
    assert (plain.status, renamed.status) == (415, 401)
    assert deps.log.position.seq == 0


async def test_a_large_purge_is_refused(start: Start, deps: AdminDeps) -> None:
    body = io.BytesIO(b'{"tags": ["%b"]}' % (b"x" * 2_000_000))
    answer = await (await start(deps)).post("/purge", data=body, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.content_type) == (413, "application/problem+json")


async def test_a_failing_part_is_a_500_without_its_inside(
    start: Start, deps: AdminDeps, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> object:
        raise RuntimeError("secret inside")

    answer = await (await start(replace(deps, policy=broken))).post("/purge", json={"urls": ["/a"]})  # type: ignore[arg-type]
    assert answer.status == 500
    assert "secret" not in await answer.text()
    assert "secret inside" in caplog.text


async def test_with_a_token_only_health_and_the_empty_page_are_open(start: Start, deps: AdminDeps) -> None:
    client = await start(replace(deps, access=AdminAccess(TOKEN)))
    statuses = {
        path: (await client.get(path)).status for path in ("/", "/health", "/health/detailed", "/metrics", "/stats")
    }
    assert statuses == {"/": 200, "/health": 200, "/health/detailed": 401, "/metrics": 401, "/stats": 401}
    refused = await client.post("/purge", json={"everything": True})
    assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, 'Bearer realm="admin"')
    opened = await client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert opened.status == 200


class _Outside(HTMLParser):
    """Collects what a page would fetch from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [
            f"{tag} {name}" for name, _ in attrs if name in {"src", "href", "action", "style"} or name.startswith("on")
        ]


async def test_the_dashboard_needs_nothing_from_elsewhere(start: Start, deps: AdminDeps) -> None:
    answer = await (await start(deps)).get("/")
    page = await answer.text()
    outside = _Outside()
    outside.feed(page)
    assert outside.found == []
    assert not re.search(r"https?://|innerHTML|insertAdjacentHTML|document\.write", page)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert policy.count("sha256-") == 2
