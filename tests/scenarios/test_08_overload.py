"""Backends that do not answer in time, through the real proxy: they cost no more than they must."""

from __future__ import annotations

import asyncio

from tests.scenarios.dialogue import Dialogue

POLICIES = """
version: 1
routes:
  - name: slow
    match: {path: "/{room}/slow"}
    coalesce_wait: 300ms
    cache: {ttl: 10m}
  - name: stale
    match: {path: "/{room}/stale"}
    coalesce_wait: 100ms
    cache: {stale_if_error: 10m}
  - name: after
    match: {path: "/{room}/after"}
    stale_if_error_after: 100ms
    cache: {stale_if_error: 10m}
"""
LATE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate"


async def test_a_response_that_does_not_come_is_asked_for_once_more_and_not_by_each(talk: Dialogue) -> None:
    release = asyncio.Event()
    talk.answers([release, LATE], [release, LATE])
    async with asyncio.TaskGroup() as group:
        asking = [group.create_task(talk.ask("GET /slow", client=talk.client())) for _ in range(8)]
        await talk.reached(2)
        release.set()
    assert [task.result().body for task in asking] == [b"late"] * 8
    assert len(talk.asked) == 2


async def test_who_waits_for_a_refresh_that_hangs_is_shown_what_is_stale(talk: Dialogue) -> None:
    release = asyncio.Event()
    talk.answers("200\nCache-Control: max-age=1\n\nearly", [release, LATE])
    await talk.ask("GET /stale")
    await asyncio.sleep(1.1)  # it is stale then
    async with asyncio.TaskGroup() as group:
        leading = group.create_task(talk.ask("GET /stale", client=talk.client()))
        await talk.reached(2)
        shown = [await talk.ask("GET /stale", client=talk.client()) for _ in range(2)]
        release.set()
    assert [answer.body for answer in shown] == [b"early", b"early"]
    assert all("stale-if-error" in (answer.lines.get("Cache-Status") or "") for answer in shown)
    assert (leading.result().body, len(talk.asked)) == (b"late", 2)


async def test_a_refresh_that_hangs_keeps_nobody_waiting_where_the_policy_says_after_what_time(talk: Dialogue) -> None:
    release = asyncio.Event()
    late = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 4\r\n\r\nlate"
    early_hint = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
    talk.answers("200\nCache-Control: max-age=1\n\nearly", [release, early_hint, late])
    await talk.ask("GET /after")
    await asyncio.sleep(1.1)  # it is stale then
    shown = [await talk.ask("GET /after") for _ in range(5)]
    assert [answer.body for answer in shown] == [b"early"] * 5
    assert all("stale-if-error" in (answer.lines.get("Cache-Status") or "") for answer in shown)
    release.set()
    async with asyncio.timeout(10):
        while (answer := await talk.ask("GET /after")).body == b"early":  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
    assert (answer.body, len(talk.asked)) == (b"late", 2)


async def test_a_backend_that_says_for_how_long_it_is_busy_is_not_asked_meanwhile(talk: Dialogue) -> None:
    talk.answers("200\nCache-Control: max-age=1\n\nearly", "503\nRetry-After: 30\n\nbusy", "200\n\nlate")
    await talk.ask("GET /stale")
    await asyncio.sleep(1.1)  # it is stale then
    shown = [await talk.ask("GET /stale") for _ in range(4)]
    assert [answer.body for answer in shown] == [b"early"] * 4
    assert all("stale-if-error" in (answer.lines.get("Cache-Status") or "") for answer in shown)
    assert len(talk.asked) == 2
    assert (await talk.ask("GET /stale", "Cache-Control: no-cache")).body == b"late", "who wants it validated gets that"
