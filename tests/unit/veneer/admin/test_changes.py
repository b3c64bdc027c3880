"""What the admin listener tells of sources of changes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from tests.support.change_source import PlayedSource
from tests.unit.veneer.observe.records import quiet_observer
from veneer.admin.access import AdminAccess
from veneer.admin.application import build_admin
from veneer.admin.changes import ChangesAdmin
from veneer.admin.deps import AdminDeps
from veneer.admin.posted import PostedEventsAdmin
from veneer.changes.follower import Follower, FollowerSettings
from veneer.changes.waiting import SourceWaiter
from veneer.loop.clock import SystemClock
from veneer.observe.gauges import Gauges
from veneer.policy.load import default_policy
from veneer.ports import Committed, SourceMoment
from veneer.stores.memory_log import MemoryLog

Client = TestClient[web.Request, web.Application]
Start = Callable[[MemoryLog, dict[str, Follower]], Awaitable[Client]]
CLOCK = SystemClock()
LOCAL = {"Host": "localhost"}


@pytest.fixture
def start(aiohttp_client: Callable[[web.Application], Awaitable[Client]]) -> Start:
    async def begin(log: MemoryLog, followed: dict[str, Follower]) -> Client:
        observer = quiet_observer()
        deps = AdminDeps(
            access=AdminAccess(None),
            clock=CLOCK,
            log=log,
            snapshot=lambda: observer.snapshot(Gauges),
            policy=default_policy,
            changes=ChangesAdmin(
                SourceWaiter(log.sources, log, CLOCK), lambda: followed, PostedEventsAdmin(log, lambda: ())
            ),
        )
        return await aiohttp_client(build_admin(deps))

    return begin


def _followed(log: MemoryLog, *names: str) -> dict[str, Follower]:
    found = {}
    for name in names:
        source = PlayedSource()
        source.name = name
        found[name] = Follower(source, f"{name}@1", log.sources, CLOCK, FollowerSettings(2.0))
    return found


async def _told(log: MemoryLog, source: str, position: str) -> None:
    claim = await log.sources.claim(f"{source}@1")
    await log.sources.claim(f"{source}@1", SourceMoment(claim.clock, claim.now_ms + 1_000, position))


async def test_each_source_is_told_with_how_late_it_is(start: Start) -> None:
    log = MemoryLog(CLOCK)
    followed = _followed(log, "db", "other")
    await _told(log, "db", "0/A")
    followed["db"].take([Committed("0/9", ("user:1", "users"), gap="the slot is new")])
    answer = await (await start(log, followed)).get("/changes", headers=LOCAL)
    db, other = (await answer.json())["sources"]
    assert (db["source"], db["lsn"], db["lag_s"], db["commits"], db["tags"]) == ("db", "0/A", 0.0, 1, 2)
    assert db["gaps"] == {"the slot is new": 1}
    assert (other["state"], other["lag_s"], other["lsn"], other["reader"]) == ("lost", None, "", "")


async def test_who_waits_is_answered_when_it_has_come(start: Start) -> None:
    log = MemoryLog(CLOCK)
    client = await start(log, _followed(log, "db"))
    await _told(log, "db", "0/B")
    answer = await client.post("/changes/wait", json={"lsn": "0/A"}, headers=LOCAL)
    assert answer.status == 200
    assert (await answer.json())["lsn"] == "0/B"
    assert (await client.post("/changes/wait", json={"source": "db"}, headers=LOCAL)).status == 200


@pytest.mark.parametrize(
    ("sources", "asked", "status", "said"),
    [
        ("db", {"lsn": "1/0", "timeout": 0}, 504, "the source db is at 0/B, "),
        ("other", {"timeout": 0}, 504, "nobody has told how far the source other has come"),
        ("db", {"lsn": "late"}, 400, '"late" is no position of a source: write an LSN'),
        ("db", {"timeout": 60}, 400, "right is, for example"),
        ("db", {"upto": "1/0"}, 400, "right is, for example"),
        ("db other", {}, 400, 'say which "source": the policy has db, other'),
        ("db", {"source": "dp"}, 404, 'there is no source "dp": the policy has db'),
        ("", {}, 400, 'say which "source": the policy has no `changes`'),
    ],
)
async def test_who_asks_for_what_cannot_be_is_told_why(
    start: Start, sources: str, asked: dict[str, object], status: int, said: str
) -> None:
    log = MemoryLog(CLOCK)
    client = await start(log, _followed(log, *sources.split()))
    await _told(log, "db", "0/B")
    answer = await client.post("/changes/wait", json=asked, headers=LOCAL)
    assert answer.status == status
    assert said in (await answer.json(content_type="application/problem+json"))["detail"]


async def test_a_page_of_another_origin_cannot_ask(start: Start) -> None:
    client = await start(MemoryLog(CLOCK), {})
    assert (await client.post("/changes/wait", data="{}", headers=LOCAL)).status == 415
