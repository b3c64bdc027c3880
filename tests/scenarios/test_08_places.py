"""More requests than a backend does at once, through the real proxy: who goes first, and who is told to come back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from checks.conformance.client import Response
from tests.scenarios.conftest import Stage
from tests.scenarios.dialogue import Answer, Asked, Dialogue

POLICIES = """
version: 1
upstreams:
  backend:
    url: "http://127.0.0.1:1"
    max_connections: 2
    pool_timeout: 3s
    concurrency: {critical_share: 0, route_share: 1}
routes:
  - name: held
    match: {path: "/{room}/held/{number}"}
  - name: critical
    match: {path: "/{room}/critical"}
    priority: critical
  - name: background
    match: {path: "/{room}/background"}
    priority: background
  - name: stale
    match: {path: "/{room}/stale"}
    cache: {stale_on_overload: 10m}
  - name: refreshed
    match: {path: "/{room}/refreshed"}
    cache: {stale_while_revalidate: 10m}
"""
LATE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate"


def start(group: asyncio.TaskGroup, talk: Dialogue, path: str) -> asyncio.Task[Response]:
    return group.create_task(talk.ask(f"GET {path}", client=talk.client()))


async def queued(group: asyncio.TaskGroup, talk: Dialogue, path: str) -> asyncio.Task[Response]:
    """Ask, and let it come as far as the queue."""
    task = start(group, talk, path)
    await asyncio.sleep(0.1)
    return task


class Busy:
    """A backend that has two requests of one route, until it is told to answer one or both."""

    def __init__(self, talk: Dialogue) -> None:
        self._talk = talk
        self.releases = [asyncio.Event(), asyncio.Event()]

    def answer(self, asked: Asked) -> Answer:
        number = asked.path.removeprefix("/held/")
        return [self.releases[int(number)], LATE] if number in {"0", "1"} else "200\nCache-Control: no-store\n\nhere"

    def paths(self) -> list[str]:
        """What was asked for beside them."""
        return [asked.path for asked in self._talk.asked if asked.path not in {"/held/0", "/held/1"}]

    def release(self) -> None:
        for release in self.releases:
            release.set()


@contextlib.asynccontextmanager
async def busy(talk: Dialogue) -> AsyncIterator[tuple[Busy, asyncio.TaskGroup]]:
    """All that the backend does at once is under way; at the end it does it."""
    backend, before = Busy(talk), len(talk.asked)
    talk.answered_by = backend.answer
    async with asyncio.TaskGroup() as group:
        held = [start(group, talk, f"/held/{number}") for number in range(2)]
        await talk.reached(before + 2)
        yield backend, group
        backend.release()
    assert [task.result().body for task in held] == [b"late"] * 2


def detail_of(answer: Response) -> str:
    return (answer.lines.get("Cache-Status") or "").rpartition("detail=")[2]


async def test_what_is_stored_is_served_fresh_or_stale_and_waits_for_nobody(talk: Dialogue) -> None:
    talk.answers("200\nCache-Control: max-age=1\n\nstale", "200\nCache-Control: max-age=60\n\nfresh")
    await talk.ask("GET /stale")
    await talk.ask("GET /fresh")
    await asyncio.sleep(1.1)  # one of them is stale then
    async with busy(talk) as (backend, _):
        stale, fresh = await talk.ask("GET /stale"), await talk.ask("GET /fresh")
        assert (stale.body, detail_of(stale)) == (b"stale", "stale-on-overload")
        assert fresh.body == b"fresh"
        assert "hit" in (fresh.lines.get("Cache-Status") or "")
        assert backend.paths() == ["/stale", "/fresh"]
    assert (await talk.ask("GET /stale")).body == b"here", "it is asked for again once there is a place"


async def test_a_refresh_does_not_stand_in_line_with_clients(talk: Dialogue) -> None:
    talk.answers("200\nCache-Control: max-age=1\n\nold")
    await talk.ask("GET /refreshed")
    await asyncio.sleep(1.1)  # it is stale then
    async with busy(talk) as (backend, group):
        waiting = await queued(group, talk, "/waits")
        assert (await talk.ask("GET /refreshed")).body == b"old"
        backend.release()
        assert (await waiting).body == b"here"
        await asyncio.sleep(0.1)
        assert backend.paths() == ["/refreshed", "/waits"]


async def test_who_waits_too_long_is_told_when_to_come_back(talk: Dialogue) -> None:
    async with busy(talk) as (backend, _):
        refused = await talk.ask("GET /waits", client=talk.client())
        assert (refused.status, detail_of(refused)) == (503, "pool-timeout")
        assert int(refused.lines.get("Retry-After") or 0) >= 1
        assert backend.paths() == []


async def test_the_critical_go_before_the_normal_and_these_before_the_background(talk: Dialogue) -> None:
    async with busy(talk) as (backend, group):
        waiting = [await queued(group, talk, path) for path in ("/background", "/normal", "/critical")]
        backend.releases[0].set()
        await asyncio.gather(*waiting)
        assert backend.paths() == ["/critical", "/normal", "/background"]


async def test_who_has_left_is_never_sent(talk: Dialogue) -> None:
    async with busy(talk) as (backend, group):
        _, writer = await talk.connect()
        writer.write(f"GET {talk.at('/gone')} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await asyncio.sleep(0.1)
        writer.close()
        stays = await queued(group, talk, "/stays")
        backend.releases[0].set()
        assert (await stays).body == b"here"
        assert backend.paths() == ["/stays"]


async def test_once_the_queue_stands_the_old_go_and_are_told_so(talk: Dialogue, stage: Stage) -> None:
    """The last one here: for two seconds the proxy remembers it."""
    async with busy(talk) as (backend, group):
        old = [await queued(group, talk, f"/old/{number}") for number in range(2)]
        await asyncio.sleep(0.3)  # so long nobody may wait
        seen = await queued(group, talk, "/seen")
        await asyncio.sleep(0.4)  # and not for so long
        new = await talk.ask("GET /new", client=talk.client())
        answers = [*[await task for task in old], await seen, new]
        assert [(answer.status, detail_of(answer)) for answer in answers] == [(503, "overloaded")] * 4
        assert all(int(answer.lines.get("Retry-After") or 0) >= 1 for answer in answers)
        assert backend.paths() == []
    assert (await talk.ask("GET /later")).body == b"here"
    async with asyncio.timeout(10):
        while not any("overloaded" in str(line.get("error")) for line in stage.proxy.log_records()):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
