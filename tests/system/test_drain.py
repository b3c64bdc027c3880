"""A stop that load balancers have time to notice: not ready, still answering, each answer the last of a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from devstack.process import wait_until
from devstack.proxy import ProxyOptions, ProxyServer
from tests.support.client import fetch
from tests.support.origin import answering, running_origin

NewProxy = Callable[[ProxyOptions], ProxyServer]
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nplain"
POLICY = """\
version: 1
timeouts: {drain_delay: 6s}
rate_limits: {none: {rate: 1/1h}}
routes:
  - {name: limited, match: {path: /limited}, rate_limit: none}
  - {name: all, match: {path: "/{rest:path}"}, cache: {ttl: 1m}}
"""
REQUESTS = {
    "a hit": "GET /kept HTTP/1.1\r\nHost: a\r\n\r\n",
    "a miss": "GET /new{} HTTP/1.1\r\nHost: a\r\n\r\n",
    "a hit by HEAD": "HEAD /kept HTTP/1.1\r\nHost: a\r\n\r\n",
    "not modified": "GET /kept HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\n",
    "a write": "POST /kept{} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
    "what aiohttp reads": "GET /kept HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n",
    "a refusal by rate": "GET /limited HTTP/1.1\r\nHost: a\r\n\r\n",
}
CONNECTIONS = 6
"""For each kind, before the stop and again after it: the system spreads them over the workers."""


async def answer_to(connection: Connection, request: str) -> str:
    """The head of the answer to a request that is sent now."""
    reader, writer = connection
    writer.write(request.encode())
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode("latin-1").lower()
    size = int(head.partition("content-length: ")[2].partition("\r\n")[0] or 0)
    if not (request.startswith("HEAD") or head.startswith("http/1.1 304")):
        await asyncio.wait_for(reader.readexactly(size), 10)
    return head


async def connections(proxy: ProxyServer) -> list[Connection]:
    return [await asyncio.open_connection("127.0.0.1", proxy.port) for _ in range(CONNECTIONS)]


@pytest.mark.parametrize("workers", [1, 2])
async def test_each_answer_while_load_balancers_notice_is_the_last_of_its_connection(
    new_proxy: NewProxy, tmp_path: Path, redis_url: str, workers: int
) -> None:
    policies = tmp_path / "policies.yaml"
    policies.write_text(POLICY)
    async with running_origin(answering(PLAIN)) as origin:
        options = ProxyOptions(upstream=origin.url, policies=policies, redis_url=redis_url, workers=workers)
        proxy = await asyncio.to_thread(new_proxy, options)
        kept = {kind: await connections(proxy) for kind in REQUESTS}
        for kind, request in REQUESTS.items():
            for number, connection in enumerate(kept[kind]):
                for again in range(3):  # in the end by the fast path, where it does such requests
                    assert "connection: close" not in await answer_to(connection, request.format(f"{number}-{again}"))

        def ready() -> int:
            return fetch(f"{proxy.admin_url}/ready").status

        assert await asyncio.to_thread(ready) == 200
        stopping = asyncio.get_running_loop().run_in_executor(None, proxy.stop)
        assert await asyncio.to_thread(wait_until, lambda: ready() == 503, timeout_s=5)
        assert (await asyncio.to_thread(fetch, f"{proxy.admin_url}/health")).status == 200
        # Workers are told by their supervisor, which is not ready a moment before them.
        told = '"message": "stopping"'
        assert await asyncio.to_thread(wait_until, lambda: proxy.process.log_text().count(told) == workers, timeout_s=5)
        for kind, request in REQUESTS.items():
            for number, connection in enumerate([*kept[kind], *await connections(proxy)]):
                head = await answer_to(connection, request.format(f"-last{number}"))
                assert "\r\nconnection: close\r\n" in head, (kind, head)
                assert await asyncio.wait_for(connection[0].read(), 10) == b"", kind
                connection[1].close()
        assert await asyncio.to_thread(ready) == 503
        await stopping
        assert proxy.process.exit_code == 0
