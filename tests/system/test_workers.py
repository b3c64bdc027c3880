"""Several workers: one set of counters, deaths that lose nothing that was shown, and replacements one by one."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import urllib.request
from collections.abc import Callable
from pathlib import Path

import msgspec
import psutil

from devstack.process import wait_until
from devstack.proxy import ProxyOptions, ProxyServer
from tests.support.client import fetch
from tests.support.origin import answering, held, running_origin
from tests.support.processes import live_children
from veneer.workers.heartbeat import MISSED, PATIENCE_S

NewProxy = Callable[[ProxyOptions], ProxyServer]

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nplain"
CACHED = 'version: 1\nroutes:\n  - {name: all, match: {path: "/{rest:path}"}, cache: {ttl: 1m}}\n'
MARKED = 'version: 1\nroutes:\n  - {name: marked, match: {path: "/{rest:path}"}, cache: {ttl: 1m}}\n'
BROKEN = "version: 1\nroutes:\n  - {name: all, match: {path: /}, cache: {tttl: 1m}}\n"


def workers_of(proxy: ProxyServer) -> set[int]:
    return {child.pid for child in live_children(proxy.process.pid)}


def get(url: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as response:
        return str(response.read().decode())


def counted(proxy: ProxyServer) -> int:
    """Requests by all workers, as /metrics says."""
    found = re.findall(r"^veneer_requests_total\{.*?\} (\S+)$", get(f"{proxy.admin_url}/metrics"), re.MULTILINE)
    return round(sum(map(float, found)))


def all_serve(proxy: ProxyServer, workers: int) -> bool:
    detail = msgspec.json.decode(get(f"{proxy.admin_url}/health/detailed"), type=dict[str, object])
    parts = msgspec.convert(detail["parts"], type=dict[str, dict[str, object]])
    return parts["workers"]["detail"] == f"{workers} of {workers} serve"


async def started(new_proxy: NewProxy, options: ProxyOptions) -> ProxyServer:
    proxy = await asyncio.to_thread(new_proxy, options)
    assert await asyncio.to_thread(wait_until, lambda: all_serve(proxy, options.workers or 1), timeout_s=60)
    return proxy


async def ask_times(proxy: ProxyServer, times: int) -> None:
    for number in range(times):
        answer = await asyncio.to_thread(fetch, f"{proxy.url}/x{number}")
        assert (answer.status, answer.body) == (200, b"plain")


async def test_the_counters_are_of_all_workers_and_survive_their_deaths(new_proxy: NewProxy, redis_url: str) -> None:
    async with running_origin(answering(PLAIN)) as origin:
        proxy = await started(new_proxy, ProxyOptions(upstream=origin.url, redis_url=redis_url, workers=2))
        # Each request is a connection of its own: the system spreads them over both workers.
        await ask_times(proxy, 30)
        assert await asyncio.to_thread(counted, proxy) == 30
        before = await asyncio.to_thread(workers_of, proxy)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        assert await asyncio.to_thread(
            wait_until, lambda: not workers_of(proxy) & before and all_serve_soon(proxy), timeout_s=60
        )
        assert await asyncio.to_thread(counted, proxy) == 30
        await ask_times(proxy, 5)
        assert await asyncio.to_thread(counted, proxy) == 35


def all_serve_soon(proxy: ProxyServer) -> bool:
    """Whether both workers serve; between two lives of a worker the answer may be an error."""
    try:
        return all_serve(proxy, 2)
    except OSError:
        return False


async def test_a_worker_that_hangs_is_replaced_and_one_that_was_paused_with_all_the_others_is_not(
    new_proxy: NewProxy, redis_url: str
) -> None:
    async with running_origin(answering(PLAIN)) as origin:
        proxy = await started(new_proxy, ProxyOptions(upstream=origin.url, redis_url=redis_url, workers=2))
        before = await asyncio.to_thread(workers_of, proxy)
        everybody = [proxy.process.pid, *before]
        for pid in everybody:
            os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(MISSED * PATIENCE_S + 5)
        for pid in everybody:
            os.kill(pid, signal.SIGCONT)
        await ask_times(proxy, 5)
        hung = min(before)
        os.kill(hung, signal.SIGSTOP)
        assert await asyncio.to_thread(
            wait_until,
            lambda: len(workers_of(proxy) - before) == 1 and hung not in workers_of(proxy) and all_serve_soon(proxy),
            timeout_s=90,
        )
        assert len(workers_of(proxy) & before) == 1, "the other one is still there"
        assert proxy.process.log_text().count("killed") == 1
        await ask_times(proxy, 5)


async def test_a_purge_at_the_one_admin_listener_reaches_every_worker(new_proxy: NewProxy, redis_url: str) -> None:
    async with running_origin(answering(PLAIN)) as origin:
        proxy = await started(new_proxy, ProxyOptions(upstream=origin.url, redis_url=redis_url, workers=2))
        receipt = await asyncio.to_thread(proxy.purge, {"everything": True})
        assert receipt["shared"] is True
        # The worker that was asked applied it itself and waited for the other.
        assert len(msgspec.convert(receipt["acknowledged"], type=list[str])) == 1


async def test_a_roll_replaces_every_worker_and_drops_nothing(
    new_proxy: NewProxy, redis_url: str, tmp_path: Path
) -> None:
    policies = tmp_path / "policies.yaml"
    policies.write_text(CACHED)
    async with running_origin(answering(PLAIN)) as origin:
        options = ProxyOptions(upstream=origin.url, redis_url=redis_url, workers=2, policies=policies)
        proxy = await started(new_proxy, options)
        before = await asyncio.to_thread(workers_of, proxy)
        policies.write_text(MARKED)
        proxy.reload()
        asked = 0
        # Every request on the way through the roll is answered: each opens a connection of its own.
        while "all workers have been replaced" not in await asyncio.to_thread(proxy.process.log_text):
            await ask_times(proxy, 1)
            asked += 1
            assert proxy.process.running
        await ask_times(proxy, 5)
        assert not await asyncio.to_thread(workers_of, proxy) & before
        assert await asyncio.to_thread(counted, proxy) == asked + 5
        assert 'route="marked"' in await asyncio.to_thread(get, f"{proxy.admin_url}/metrics")


async def test_a_bad_file_rolls_nothing_and_says_why(new_proxy: NewProxy, redis_url: str, tmp_path: Path) -> None:
    policies = tmp_path / "policies.yaml"
    policies.write_text(CACHED)
    async with running_origin(answering(PLAIN)) as origin:
        options = ProxyOptions(upstream=origin.url, redis_url=redis_url, workers=2, policies=policies)
        proxy = await started(new_proxy, options)
        before = await asyncio.to_thread(workers_of, proxy)
        policies.write_text(BROKEN)
        proxy.reload()
        said = "everything stays as it is"
        assert await asyncio.to_thread(wait_until, lambda: said in proxy.process.log_text(), timeout_s=20)
        assert await asyncio.to_thread(proxy.process.says, "tttl")
        policies.write_text("")  # a write that went wrong would take every route and limit away
        proxy.reload()
        assert await asyncio.to_thread(wait_until, lambda: proxy.process.log_text().count(said) == 2, timeout_s=20)
        assert await asyncio.to_thread(proxy.process.says, "is empty now")
        assert await asyncio.to_thread(workers_of, proxy) == before
        await ask_times(proxy, 3)


async def test_an_exchange_under_way_ends_in_peace_during_a_roll(new_proxy: NewProxy, redis_url: str) -> None:
    gate, asked = asyncio.Event(), asyncio.Event()
    async with running_origin(held(gate, asked)) as origin:
        proxy = await started(new_proxy, ProxyOptions(upstream=origin.url, redis_url=redis_url, workers=2))
        answer = asyncio.get_running_loop().run_in_executor(None, fetch, f"{proxy.url}/held")
        await asyncio.wait_for(asked.wait(), 10)
        before = await asyncio.to_thread(workers_of, proxy)
        proxy.reload()
        # A new worker is there while the old one still drains.
        assert await asyncio.to_thread(wait_until, lambda: bool(workers_of(proxy) - before), timeout_s=30)
        gate.set()
        assert (await answer).body == b"first-half"


async def test_workers_end_with_their_supervisor(new_proxy: NewProxy, redis_url: str) -> None:
    async with running_origin(answering(PLAIN)) as origin:
        proxy = await started(new_proxy, ProxyOptions(upstream=origin.url, redis_url=redis_url, workers=2))
        family = psutil.Process(proxy.process.pid).children(recursive=True)
        os.kill(proxy.process.pid, signal.SIGKILL)
        assert await asyncio.to_thread(lambda: psutil.wait_procs(family, timeout=20)[1]) == []


async def test_workers_that_were_still_starting_end_with_their_supervisor(tmp_path: Path, redis_url: str) -> None:
    async with running_origin(answering(PLAIN)) as origin:
        proxy = ProxyServer(ProxyOptions(upstream=origin.url, redis_url=redis_url, workers=2), tmp_path)
        proxy.process.start()
        assert await asyncio.to_thread(wait_until, lambda: len(workers_of(proxy)) == 2, timeout_s=60)
        family = psutil.Process(proxy.process.pid).children(recursive=True)
        os.kill(proxy.process.pid, signal.SIGKILL)
        left = await asyncio.to_thread(lambda: psutil.wait_procs(family, timeout=20)[1])
        proxy.kill()
        assert left == []
