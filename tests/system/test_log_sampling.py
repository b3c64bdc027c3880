"""A real proxy whose policy says that few lines are written, until it says otherwise."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from devstack.process import wait_until
from devstack.proxy import ProxyOptions, ProxyServer
from tests.support.client import fetch
from tests.support.origin import answering, running_origin

pytestmark = pytest.mark.slow

FEW = """
version: 1
logging: {sample: {hits: 0}}
routes: [{name: kept, match: {path: "/kept/{name}"}, cache: {ttl: 1h}}, {name: rest, match: {path: /fails}}]
"""
KEPT = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nkept"
HITS = 4
"""The fast path answers the last of them."""


def paths(proxy: ProxyServer) -> list[object]:
    """Those of the access log, in order."""
    return [record["path"] for record in proxy.log_records() if "path" in record]


async def test_hits_are_left_out_until_the_policy_says_otherwise(tmp_path: Path) -> None:
    policies = tmp_path / "policies.yaml"
    policies.write_text(FEW)
    async with running_origin(answering(KEPT)) as origin:
        proxy = ProxyServer(ProxyOptions(origin.url, policies), tmp_path)
        await asyncio.to_thread(proxy.start)

        async def ask(*asked: str) -> list[int]:
            return [(await asyncio.to_thread(fetch, f"{proxy.url}{path}")).status for path in asked]

        try:
            assert await ask("/kept/a", *["/kept/a"] * HITS, "/kept/..", "/fails") == [200] * (1 + HITS) + [400, 200]
            assert await asyncio.to_thread(wait_until, lambda: "/fails" in paths(proxy), timeout_s=30)
            assert paths(proxy) == ["/kept/a", "/kept/..", "/fails"]
            policies.write_text(FEW.replace("logging: {sample: {hits: 0}}", ""))
            proxy.reload()
            in_force = "is in force"
            assert await asyncio.to_thread(wait_until, lambda: in_force in proxy.process.log_text(), timeout_s=30)
            await ask(*["/kept/a"] * HITS)
            assert await asyncio.to_thread(wait_until, lambda: len(paths(proxy)) == 3 + HITS, timeout_s=30)
        finally:
            assert await asyncio.to_thread(proxy.stop)
    assert not any("sample_rate" in record for record in proxy.log_records())
