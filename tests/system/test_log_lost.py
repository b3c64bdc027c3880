"""Redis is away or hangs: strict writes are refused, before they are sent or before their answer is seen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from checks.relay import relay
from devstack.proxy import ProxyOptions, ProxyServer
from devstack.redis import RedisServer
from tests.support.client import Answer, fetch

POLICIES = """\
version: 1
routes:
  - {name: bounded, match: {path: "/bounded/{rest:path}"}, consistency: bounded}
"""


class Backend:
    """Notes the writes that reach it; those to /slow wait until they are let go."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.reached = asyncio.Event()
        self.go = asyncio.Event()

    async def handle(self, request: web.Request) -> web.Response:
        if request.method == "PUT":
            self.written.append(request.path)
        if request.path == "/slow":
            self.reached.set()
            await self.go.wait()
        return web.Response(text="done", headers={"Cache-Control": "max-age=60"})


@pytest.fixture
async def backend() -> AsyncIterator[tuple[Backend, str]]:
    handler = Backend()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handler.handle)
    server = TestServer(app)
    await server.start_server()
    yield handler, f"http://127.0.0.1:{server.port}"
    await server.close()


async def ask(proxy: ProxyServer, method: str, path: str) -> Answer:
    return await asyncio.to_thread(fetch, proxy.url + path, method)


async def test_what_becomes_of_writes_without_redis(
    backend: tuple[Backend, str],
    new_redis: Callable[..., RedisServer],
    new_proxy: Callable[[ProxyOptions], ProxyServer],
    tmp_path: Path,
) -> None:
    handler, upstream = backend
    redis = new_redis(persist=True)
    policies = tmp_path / "policies.yaml"
    policies.write_text(POLICIES, "ascii")
    proxy = await asyncio.to_thread(new_proxy, ProxyOptions(upstream=upstream, policies=policies, redis_url=redis.url))
    assert (await ask(proxy, "PUT", "/before")).status == 200

    under_way = asyncio.create_task(ask(proxy, "PUT", "/slow"))  # noqa: TID251 - a client of its own
    await handler.reached.wait()
    await asyncio.to_thread(redis.kill)
    metrics = f"{proxy.admin_url}/metrics"
    while b"\nveneer_lease_held 1" in (await asyncio.to_thread(fetch, metrics)).body:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.05)
    handler.go.set()
    unsent, bounded, read = await asyncio.gather(
        ask(proxy, "PUT", "/unsent"), ask(proxy, "PUT", "/bounded/x"), ask(proxy, "GET", "/read")
    )
    answered = await under_way

    assert (unsent.status, unsent.header("Retry-After")) == (503, "1")
    assert "the request was not sent" in json.loads(unsent.body)["detail"]
    assert "detail=log-lost" in (unsent.header("Cache-Status") or "")
    assert (answered.status, bounded.status, read.status) == (504, 200, 200)
    assert "has answered" in json.loads(answered.body)["detail"]
    assert "detail=log-lost" in (answered.header("Cache-Status") or "")
    assert handler.written == ["/before", "/slow", "/bounded/x"]
    counted = (await asyncio.to_thread(fetch, metrics)).body
    assert b'veneer_refused_total{reason="log-lost"} 2.0' in counted

    await asyncio.to_thread(redis.restart)
    after = await ask(proxy, "PUT", "/after")
    assert after.status == 200


async def test_writes_whose_consistency_is_bounded_do_not_wait_for_a_redis_that_hangs(
    backend: tuple[Backend, str],
    new_redis: Callable[..., RedisServer],
    new_proxy: Callable[[ProxyOptions], ProxyServer],
    tmp_path: Path,
) -> None:
    """Twenty, one after the other, are answered before a strict one, sent before them, has waited for long enough."""
    handler, upstream = backend
    redis = new_redis()
    policies = tmp_path / "policies.yaml"
    policies.write_text(POLICIES + "limits: {in_flight: 2}\n", "ascii")
    async with relay(redis.port) as between:
        options = ProxyOptions(upstream=upstream, policies=policies, redis_url=between.url)
        proxy = await asyncio.to_thread(new_proxy, options)
        for number in range(3):
            assert (await ask(proxy, "PUT", f"/bounded/calm-{number}")).status == 200
        between.hold()
        strict = asyncio.create_task(ask(proxy, "PUT", "/strict"))  # noqa: TID251 - a client of its own
        hung = [await ask(proxy, "PUT", f"/bounded/{number}") for number in range(20)]
        assert not strict.done()
        between.mend()
        await strict
    assert [answer.status for answer in hung] == [200] * 20
    assert len([path for path in handler.written if path.startswith("/bounded")]) == 23
