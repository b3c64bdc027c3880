"""Room for all: few files leave half of them to clients, and busy backends are not taken for dead."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from devstack.process import wait_until
from devstack.proxy import ProxyOptions, ProxyServer
from tests.support.client import fetch
from tests.support.origin import OriginConnection, running_origin

NewProxy = Callable[[ProxyOptions], ProxyServer]

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nplain"
OPEN_FILES, NOT_CONNECTIONS = 1024, 192
"""The bound that shells and service managers set most often, and what of it is set aside for Redis and the rest."""
UPSTREAMS = 4


async def test_with_few_files_clients_have_half_of_them_and_backends_the_other(
    new_proxy: NewProxy, tmp_path: Path
) -> None:
    """Each client's request is on its way to a backend at once, and one client more is refused."""
    asked, all_asked, most = 0, asyncio.Event(), 0

    async def script(connection: OriginConnection) -> None:
        nonlocal asked
        await connection.request_head()
        asked += 1
        if asked == most:
            all_asked.set()
        await all_asked.wait()
        await connection.send(PLAIN)

    async with running_origin(script) as origin:
        numbers = range(UPSTREAMS)
        policy = "version: 1\nupstreams:\n" + "".join(f'  u{n}: {{url: "{origin.url}"}}\n' for n in numbers)
        policy += "routes:\n"
        policy += "".join(
            f'  - {{name: r{n}, match: {{path: "/{n}/{{rest:path}}"}}, upstream: u{n}}}\n' for n in numbers
        )
        policies = tmp_path / "policies.yaml"
        policies.write_text(policy)
        few = ("sh", "-c", f'ulimit -n {OPEN_FILES} && exec "$@"', "sh")
        proxy = await asyncio.to_thread(new_proxy, ProxyOptions(upstream=None, policies=policies, under=few))
        assert await asyncio.to_thread(proxy.process.says, "clients are served at once")
        told = re.search(r"open files: at most (\d+) clients are served at once", proxy.process.log_text())
        assert told is not None, proxy.process.log_text()
        most = int(told[1])
        assert most >= (OPEN_FILES - NOT_CONNECTIONS) // 2

        clients = [await asyncio.open_connection("127.0.0.1", proxy.port) for _ in range(most)]
        try:
            for number, (_, writer) in enumerate(clients):
                path = f"/{number % UPSTREAMS}/{number}"
                writer.write(f"GET {path} HTTP/1.1\r\nHost: origin\r\n\r\n".encode())
            async with asyncio.timeout(20):
                heads = [await reader.readuntil(b"\r\n\r\n") for reader, _ in clients]
            assert {head.split(b" ", 2)[1] for head in heads} == {b"200"}
            assert (await asyncio.to_thread(fetch, f"{proxy.url}/0/one-more")).status == 503
        finally:
            for _, writer in clients:
                writer.close()


ROOM, CHECKS = 4, 6
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"
NOTHING_YET = b""


@pytest.mark.parametrize("begin", [EVENTS, NOTHING_YET], ids=["event-streams", "long-polls"])
async def test_a_backend_whose_connections_are_all_in_use_counts_as_up(
    new_proxy: NewProxy, tmp_path: Path, begin: bytes
) -> None:
    held, all_asked = asyncio.Event(), asyncio.Event()
    checked = lasting = 0

    async def script(connection: OriginConnection) -> None:
        nonlocal checked, lasting
        while True:
            head = await connection.request_head()
            if head.startswith(b"GET /healthz "):
                checked += 1
            elif head.startswith(b"GET /lasts"):
                await connection.send(begin)
                lasting += 1
                if lasting == ROOM:
                    all_asked.set()
                await held.wait()
                return
            await connection.send(PLAIN)

    async with running_origin(script) as origin:
        policies = tmp_path / "policies.yaml"
        policies.write_text(
            "version: 1\n"
            f'upstreams: {{api: {{url: "{origin.url}", max_connections: {ROOM}, pool_timeout: 1s, '
            "health: {path: /healthz, every: 100ms, timeout: 200ms, unhealthy_after: 2}}}\n"
            "defaults: {upstream: api}\n"
        )
        proxy = await asyncio.to_thread(new_proxy, ProxyOptions(upstream=None, policies=policies))
        clients = [await asyncio.open_connection("127.0.0.1", proxy.port) for _ in range(ROOM)]
        for number, (_, writer) in enumerate(clients):
            writer.write(f"GET /lasts/{number} HTTP/1.1\r\nHost: origin\r\n\r\n".encode())
        await asyncio.wait_for(all_asked.wait(), 10)
        enough = checked + CHECKS

        def judged() -> bool:
            return checked >= enough or "by its health check" in proxy.process.log_text()

        assert await asyncio.to_thread(wait_until, judged, timeout_s=20)
        assert "is down by its health check" not in proxy.process.log_text()
        health = await asyncio.to_thread(fetch, f"{proxy.admin_url}/health/detailed")
        assert msgspec.json.decode(health.body)["parts"]["upstream:api"]["status"] == "up", health.body
        if begin is NOTHING_YET:  # these keep their places: one has to go
            clients[0][1].transport.abort()
        answer = await asyncio.to_thread(fetch, f"{proxy.url}/now")
        assert (answer.status, answer.body) == (200, b"plain")
        held.set()
        for _, writer in clients:
            writer.close()
