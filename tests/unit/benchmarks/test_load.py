"""The load command: what it counts, and what it says."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from benchmarks.load import Counted, LoadReport, Target, quantile_ms, report, run


@pytest.fixture
async def site() -> AsyncIterator[TestServer]:
    asked = 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        stored = {"Cache-Status": "Veneer; hit"} if asked > 1 else {"Cache-Status": "Veneer; fwd=miss"}
        status = 503 if request.path == "/busy" else 200
        return web.Response(text=request.headers.get("X-Who", "") + await request.text(), status=status, headers=stored)

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    server = TestServer(app)
    await server.start_server()
    yield server
    await server.close()


def target(*urls: str, body: bytes | None = None) -> Target:
    return Target(urls, "POST" if body else "GET", [("X-Who", "abc")], body, connections=2, seconds=0.2, timeout_s=5)


async def test_what_comes_is_counted(site: TestServer) -> None:
    found = await run(target(str(site.make_url("/a")), body=b"de"))
    assert found.statuses == {"200": found.requests}
    assert found.hit_share == pytest.approx((found.requests - 1) / found.requests)
    assert found.bytes_per_reply == 5
    assert 0 < found.p50_ms <= found.p95_ms <= found.longest_ms
    assert (found.failed_share, msgspec.json.decode(msgspec.json.encode(found), type=LoadReport)) == (0, found)


async def test_what_fails_is_told_apart(site: TestServer) -> None:
    found = await run(target(str(site.make_url("/a")), str(site.make_url("/busy"))))
    assert set(found.statuses) == {"200", "503"}
    assert found.failed_share == pytest.approx(found.statuses["503"] / found.requests)
    gone = await run(target("http://127.0.0.1:1/"))
    assert (set(gone.statuses), gone.failed_share) == ({"no answer"}, 1)


def test_quantiles_are_values_that_came() -> None:
    hundred = [number / 1000 for number in range(1, 101)]
    assert [quantile_ms(hundred, share) for share in (0.5, 0.95, 0.99, 1.0)] == [50, 95, 99, 100]
    assert quantile_ms([], 0.5) == 0
    assert report(Counted(), 1.0).requests == 0
