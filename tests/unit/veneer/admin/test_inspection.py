"""What the listener answers of the node, over HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from tests.support.clock import ManualClock
from tests.unit.veneer.observe.records import quiet_observer
from veneer.admin.access import AdminAccess
from veneer.admin.application import build_admin
from veneer.admin.deps import AdminDeps
from veneer.admin.entries import EntryFinder
from veneer.admin.in_force import commit_of
from veneer.admin.inspection import NodeInspection
from veneer.admin.recent import MOST, Purges, RecentPurges
from veneer.admin.standing import ReloadView, Standing
from veneer.admin.tail import LogTail
from veneer.admin.views import Config, Routes, Version
from veneer.observe.gauges import Gauges
from veneer.policy.load import parse_policy
from veneer.stores.memory_log import MemoryLog

Client = TestClient[web.Request, web.Application]
PATHS = ("/config", "/routes", "/version", "/status", "/entries?url=/a", "/purges", "/counters")
POLICY = parse_policy(
    """\
version: 1
rate_limits: {basic: {rate: 10/1s}}
routes:
  - name: items
    match: {path: "/items/{id}", methods: [GET], query: {v: "1"}, host: a.example, headers: {X-Key: secret}}
    rate_limit: basic
    cache: {ttl: {404: 10s, 3xx: 1h, default: 5m}, stale_if_error: 1h, key: {query: {only: [v]}}, tags: ["item:{id}"]}
  - {name: off, match: {path: /off}, cache: {enabled: false}, invalidates: ["item:*"]}
""",
    "p",
)


@pytest.fixture
def deps() -> AdminDeps:
    clock = ManualClock()
    log = MemoryLog(clock)

    async def standing() -> Standing:
        return Standing("ok", "1", "n", "", 0.0, "d", "", ReloadView(), True, log.position, (), None, None)

    inspection = NodeInspection(
        policy=lambda: POLICY,
        clock=clock,
        started_s=clock.now() - 5,
        file="policies.yaml",
        standing=standing,
        finder=EntryFinder(lambda: POLICY, log, clock, lambda: ()),
        purges=RecentPurges(clock),
        tail=LogTail(quiet_observer().watch),
        snapshot=lambda: quiet_observer().snapshot(Gauges),
    )
    return AdminDeps(
        access=AdminAccess(None),
        clock=clock,
        log=log,
        snapshot=lambda: quiet_observer().snapshot(Gauges),
        policy=lambda: POLICY,
        inspection=inspection,
    )


@pytest.fixture
async def client(aiohttp_client: Callable[[web.Application], Awaitable[Client]], deps: AdminDeps) -> Client:
    return await aiohttp_client(build_admin(deps))


async def test_all_of_it_needs_the_token(
    aiohttp_client: Callable[[web.Application], Awaitable[Client]], deps: AdminDeps
) -> None:
    client = await aiohttp_client(build_admin(replace(deps, access=AdminAccess("0123456789abcdef"))))
    assert [(await client.get(path)).status for path in PATHS] == [401] * len(PATHS)


async def test_nothing_of_it_is_stored_anywhere(client: Client) -> None:
    for path in PATHS:
        answer = await client.get(path)
        assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")


async def test_a_head_request_gets_no_body(client: Client) -> None:
    for path in (*PATHS, "/nothing", "/entries"):
        answer = await client.head(path)
        assert await answer.read() == b""


async def test_the_policy_value_by_value(client: Client) -> None:
    config = msgspec.json.decode(await (await client.get("/config")).read(), type=Config)
    found = {one.key: (one.value, one.origin, one.at) for one in config.values}
    assert found["rate_limits.basic.rate"] == ("10/1s", "file", "policies.yaml:2")
    assert "secret" not in str(found)
    config = msgspec.json.decode(await (await client.get("/config?route=off")).read(), type=Config)
    assert {one.key.partition(".")[0] for one in config.values} == {"routes[1]"}
    assert (await client.get("/config?route=nothing")).status == 404


async def test_the_routes_in_order(client: Client) -> None:
    items, off, rest = msgspec.json.decode(await (await client.get("/routes")).read(), type=Routes).routes
    assert (items.name, items.at, items.methods, items.path) == (
        "items",
        "policies.yaml:4",
        ("GET", "HEAD"),
        "/items/{id}",
    )
    assert (items.query, items.hosts, items.headers) == (("v=1",), ("a.example",), ("x-key=...",))
    assert (items.cache, items.ttl, items.stale) == ("respect", "404: 10s, 3xx: 1h, default: 5m", "stale-if-error 1h")
    assert (items.key, items.tags, items.limits) == ("query only v", ("item:{id}",), ("basic (10/1s)",))
    assert (off.cache, off.ttl, off.invalidates) == ("off", "", ("item:*",))
    assert (rest.name, rest.at, rest.methods) == ("default", "", ())


async def test_the_version(client: Client) -> None:
    version = msgspec.json.decode(await (await client.get("/version")).read(), type=Version)
    assert (version.policy, version.uptime_s) == (POLICY.version_digest, 5.0)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/entries", "name the url"),
        ("/entries?url=ftp://x/", "write"),
        ("/entries?url=/a&header=x", "NAME: VALUE"),
    ],
)
async def test_what_cannot_be_looked_up(client: Client, path: str, says: str) -> None:
    answer = await client.get(path)
    assert (answer.status, says in (await answer.json())["detail"]) == (400, True)


async def test_the_last_purges_are_kept_and_bounded(client: Client) -> None:
    await client.post("/purge", json={"tags": ["none"], "dry_run": True})
    for number in range(MOST + 1):
        await client.post("/purge", json={"tags": [f"t{number}"] * 30, "soft": True})
    told = msgspec.json.decode(await (await client.get("/purges")).read(), type=Purges).purges
    assert len(told) == MOST
    assert (told[0].tags, told[0].names, told[0].soft) == ((f"t{MOST}",) * 20, 30, True)
    assert told[0].receipt.shared


def test_a_commit_is_what_the_image_says() -> None:
    assert commit_of({"VENEER_COMMIT": " abc "}) == "abc"
    assert isinstance(commit_of({}), str)
