"""Answers of several workers as one."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from tests.support.clock import ManualClock
from veneer.admin.recent import Purges, RecentPurges
from veneer.admin.standing import NodeLeaseView, ReloadView, Standing, TargetView, UpstreamView
from veneer.admin.views import DryRun, Entries, SharedEstimate, StoredView
from veneer.core.entry import Position
from veneer.ports import Receipt
from veneer.workers.inspected import WorkersInspection
from veneer.workers.tails import WorkerTails
from veneer.workers.worker_client import Question, WorkerReply


def reply(value: object, status: int = 200) -> WorkerReply:
    return WorkerReply(status, "application/json", msgspec.json.encode(value))


class Workers:
    """Two workers that answer as they were told."""

    def __init__(self, one: WorkerReply, two: WorkerReply) -> None:
        self.replies = {"w0": one, "w1": two}
        self.unshared: WorkerReply | None = None
        self.asked: list[Question] = []

    async def ask_one(self, question: Question) -> WorkerReply:
        self.asked.append(question)
        return self.replies["w0"]

    async def ask_all(self, question: Question) -> Sequence[tuple[str, WorkerReply]]:
        self.asked.append(question)
        first = self.unshared or self.replies["w0"]
        return [("w0", first), ("w1", self.replies["w1"])]

    def client(self) -> TestClient[web.Request, web.Application]:
        inspection = WorkersInspection(self.ask_one, self.ask_all, RecentPurges(ManualClock()), WorkerTails(dict))
        application = web.Application()
        application.add_routes([*inspection.routes(), web.post("/purge", inspection.purge)])
        return TestClient(TestServer(application))


def standing(node: str, in_use: int, *, held: bool = True) -> Standing:
    upstream = UpstreamView("api", (TargetView("http://api", "up"),), in_use, 10, 1, 2)
    leases = (NodeLeaseView("n0", 1.0, here=node == "n0"), NodeLeaseView("n1", 1.5, here=node == "n1"))
    others = (NodeLeaseView("elsewhere", 1.0, here=False),)
    reload = ReloadView("changed", error=node)
    return Standing("ok", "1", node, "", 1.0, "d", "p", reload, held, ("e", 1), (upstream,), None, leases + others)


async def test_the_standing_of_all() -> None:
    async with Workers(reply(standing("n0", 3)), reply(standing("n1", 4, held=False))).client() as client:
        told = msgspec.json.decode(await (await client.get("/status")).read(), type=Standing)
    assert [(one.worker, one.node, one.reload.error) for one in told.workers] == [
        ("w0", "n0", "n0"),
        ("w1", "n1", "n1"),
    ]
    assert told.nodes is not None
    assert [lease.here for lease in told.nodes] == [True, True, False]
    assert (told.lease_held, told.upstreams[0].in_use, told.upstreams[0].limit) == (False, 7, 20)


def view(store: str) -> StoredView:
    return StoredView(store, "h/a", 200, "fresh", 0, 1, "", "", "", "", True, {}, (), {}, (), 5)


async def test_what_all_memories_hold_and_redis_once() -> None:
    found = Entries("/a", "r", "k", True, "hit", "", "", True, "asked", 2, (view("memory"), view("redis")))
    empty = msgspec.structs.replace(found, entries=(view("memory"),), redis="", found=1, complete=False)
    workers = Workers(reply(found), reply(empty))
    workers.unshared = reply(msgspec.structs.replace(empty, complete=True))
    async with workers.client() as client:
        answer = await client.get("/entries?url=/a&header=A:1&header=B:2")
        told = msgspec.json.decode(await answer.read(), type=Entries)
    assert [(one.store, one.worker) for one in told.entries] == [("memory", "w0"), ("memory", "w1"), ("redis", "")]
    assert (told.complete, told.redis) == (False, "asked")
    assert workers.asked[1].target == "/entries?url=%2Fa&header=A%3A1&header=B%3A2&redis=no"


async def test_a_refusal_is_handed_on() -> None:
    async with Workers(reply({}, 400), reply({}, 400)).client() as client:
        for path in ("/entries?url=x", "/config?route=x", "/routes", "/version"):
            assert (await client.get(path)).status == 400
        assert (await client.post("/purge", json={"tags": ["a"], "dry_run": True})).status == 400
        assert (await client.post("/purge", json={})).status == 400


async def test_a_preview_counts_every_memory_and_redis_once() -> None:
    estimate = SharedEstimate(5, 50, 9, 9, exact=True)
    one = DryRun(2, 20, 3, complete=True, shared_estimate=estimate, tags=("user:1",), spared=("users",), uris=("h/a",))
    two = DryRun(1, 10, 2, complete=False, tags=("users",), uris=("h/b",))
    workers = Workers(reply(one), reply(two))
    async with workers.client() as client:
        answer = await client.post("/purge", json={"tags": ["user:*"], "dry_run": True})
        told = msgspec.json.decode(await answer.read(), type=DryRun)
        assert msgspec.json.decode(await (await client.get("/purges")).read(), type=Purges).purges == ()
    assert (told.entries, told.bytes, told.looked_at, told.complete) == (3, 30, 5, False)
    assert (told.shared_estimate, told.tags, told.spared, told.uris) == (
        estimate,
        ("user:1", "users"),
        (),
        ("h/a", "h/b"),
    )
    assert [question.target for question in workers.asked] == ["/purge", "/purge?redis=no"]


@pytest.mark.parametrize(("status", "kept"), [(200, 1), (503, 1), (415, 0)])
async def test_purges_are_kept_beyond_the_life_of_a_worker(status: int, kept: int) -> None:
    receipt = Receipt(Position("e", 1), ("n1",), (), 2.0)
    body = receipt if status != 415 else {"detail": "no"}
    async with Workers(reply(body, status), reply(body, status)).client() as client:
        assert (await client.post("/purge", json={"tags": ["a"]})).status == status
        told = msgspec.json.decode(await (await client.get("/purges")).read(), type=Purges).purges
    assert len(told) == kept
