"""A Redis stream of changes, a proxy that follows it, and a client that hears of nothing else."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devstack.proxy import ProxyOptions, ProxyServer
from devstack.redis import RedisServer
from tests.scenarios.dialogue import Dialogue

POLICIES = """\
version: 1
changes:
  shop: {{debezium: {{key: shop, redis: "{redis}"}}, max_lag: 3s, tables: {{shop.users: ["user:{{id}}"]}}}}
  jobs: {{stream: {{key: jobs, redis: "{redis}"}}, max_lag: 3s}}
routes:
  - name: shown
    match: {{path: "/{{test}}/{{id}}/shown"}}
    cache: {{ttl: 10m, tags: ["user:{{id}}"]}}
  - name: bounded
    match: {{path: "/{{test}}/{{id}}/bounded"}}
    cache: {{ttl: 10m, tags: ["user:{{id}}"], changes: [shop]}}
"""


def change(number: int) -> dict[bytes, bytes]:
    """An entry as Debezium Server writes it, of a row that was changed now."""
    source = {"connector": "mysql", "db": "shop", "table": "users", "ts_ms": round(time.time() * 1000)}  # noqa: TID251 - the database's clock
    row = {"id": number}
    return {b'{"id": 1}': json.dumps({"op": "u", "before": row, "after": row, "source": source}).encode()}


@pytest.fixture
async def talk(redis_server: RedisServer, tmp_path: Path) -> AsyncIterator[Dialogue]:
    redis_server.flush()
    file = tmp_path / "policies.yaml"
    file.write_text(POLICIES.format(redis=redis_server.url), "utf-8")
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener, redis_server.client() as events:
        for stream in ("shop", "jobs"):
            events.xgroup_create(stream, "nobody", mkstream=True)
        upstream = f"http://127.0.0.1:{listener.getsockname()[1]}"
        proxy = ProxyServer(ProxyOptions(upstream=upstream, policies=file, redis_url=redis_server.url), tmp_path)
        proxy.start()
        try:
            # What is stored before the sources are read dies with their first item, which names everything.
            assert await asyncio.to_thread(proxy.process.says, "changes shop: reading")
            assert await asyncio.to_thread(proxy.process.says, "changes jobs: reading")
            async with Dialogue(proxy.port, listener) as dialogue:
                yield dialogue
        finally:
            proxy.stop()


async def until(talk: Dialogue, target: str, body: bytes) -> None:
    """Ask until another answer is served, which has to be this one."""
    async with asyncio.timeout(5):
        while (await talk.ask(target)).body != body:
            pass


async def test_a_change_in_the_stream_reaches_what_is_stored(talk: Dialogue, redis_server: RedisServer) -> None:
    await asyncio.sleep(0.3)
    talk.answers("200\n\nold", "200\n\nnew", "200\n\nnewest")
    assert [(await talk.ask("GET /7/shown")).body for _ in range(5)] == [b"old"] * 5
    with redis_server.client() as events:
        events.xadd("shop", change(8))
        events.xadd("shop", change(7))
        await until(talk, "GET /7/shown", b"new")
        events.xadd("jobs", {"tags": "user:7"})
        await until(talk, "GET /7/shown", b"newest")


async def test_a_route_that_names_a_stream_answers_from_the_store_only_while_events_come(
    talk: Dialogue, redis_server: RedisServer
) -> None:
    with redis_server.client() as events:
        talk.answers("200\n\n1", "200\n\n2")
        assert [(await talk.ask("GET /7/bounded")).body for _ in range(2)] == [b"1", b"2"]
        talk.answers(*["200\n\nstored"] * 40)
        async with asyncio.timeout(5):
            while "; hit" not in ((await talk.ask("GET /7/bounded")).lines.get("cache-status") or ""):
                events.xadd("shop", change(8))
                await asyncio.sleep(0.1)
        talk.forget_answers()
        assert (await talk.ask("GET /7/bounded")).body == b"stored"
        await asyncio.sleep(3.2)
        talk.answers("200\n\nasked")
        assert (await talk.ask("GET /7/bounded")).body == b"asked"
