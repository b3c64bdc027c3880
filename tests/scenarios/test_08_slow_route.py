"""A route that hangs beside one that does not, through the real proxy."""

from __future__ import annotations

import asyncio

from tests.scenarios.dialogue import Answer, Asked, Dialogue

POLICIES = """
version: 1
upstreams:
  backend:
    url: "http://127.0.0.1:1"
    max_connections: 4
    concurrency: {route_share: 0.5}
routes:
  - name: slow
    match: {path: "/{room}/slow/{number}"}
"""
LATE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate"


async def test_a_slow_route_leaves_room_for_others(talk: Dialogue) -> None:
    release = asyncio.Event()

    def answer(asked: Asked) -> Answer:
        return [release, LATE] if asked.path.startswith("/slow/") else "200\nCache-Control: no-store\n\nhere"

    talk.answered_by = answer
    await talk.ask("GET /quick")
    async with asyncio.TaskGroup() as group:
        slow = [group.create_task(talk.ask(f"GET /slow/{number}", client=talk.client())) for number in range(4)]
        await talk.reached(3)
        for _ in range(10):
            assert (await talk.ask("GET /quick")).body == b"here"
        assert len([asked for asked in talk.asked if asked.path.startswith("/slow/")]) == 2
        release.set()
    assert [task.result().body for task in slow] == [b"late"] * 4
