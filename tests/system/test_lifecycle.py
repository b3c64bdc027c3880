"""Reload and stop under way: no connection is dropped, no exchange is cut."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil

from devstack.process import port_is_open, wait_until
from devstack.proxy import ProxyOptions, ProxyServer
from tests.support.client import fetch
from tests.support.origin import OriginConnection, answering, held, running_origin
from tests.support.processes import is_alive, live_children

NewProxy = Callable[[ProxyOptions], ProxyServer]

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nplain"
UNCACHED = "version: 1\n"
CACHED = 'version: 1\nroutes:\n  - {name: all, match: {path: "/{rest:path}"}, cache: {ttl: 1m}}\n'
OTHER_HASH = """
import sys
from types import SimpleNamespace
known = ("width", "modulus", "inf", "nan", "imag", "hash_bits", "seed_bits", "cutoff")
facts = {name: getattr(sys.hash_info, name) for name in known}
sys.hash_info = SimpleNamespace(**facts, algorithm="fnv")
"""
BROKEN = "version: 1\nroutes:\n  - {name: all, match: {path: /}, cache: {tttl: 1m}}\n"


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> tuple[str, bytes]:
    """One exchange on an open connection."""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: origin\r\n\r\n".encode())
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode("latin-1")
    size = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
    return head, await asyncio.wait_for(reader.readexactly(size), 10)


def is_hit(head: str) -> bool:
    return "; hit" in next(line for line in head.lower().split("\r\n") if line.startswith("cache-status:"))


async def hits_twice(proxy: ProxyServer, path: str) -> bool:
    await asyncio.to_thread(fetch, proxy.url + path)
    return (await asyncio.to_thread(fetch, proxy.url + path)).hit


async def until_cached(proxy: ProxyServer) -> bool:
    for number in range(100):
        if await hits_twice(proxy, f"/probe{number}"):
            return True
        await asyncio.sleep(0.05)
    return False


async def test_a_reload_changes_the_policy_and_keeps_connections(new_proxy: NewProxy, tmp_path: Path) -> None:
    policies = tmp_path / "policies.yaml"
    policies.write_text(UNCACHED)
    async with running_origin(answering(PLAIN)) as origin:
        proxy = await asyncio.to_thread(new_proxy, ProxyOptions(upstream=origin.url, policies=policies))
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        for _ in range(2):
            head, body = await ask(reader, writer, "/kept")
            assert body == b"plain"
            assert not is_hit(head)

        policies.write_text(CACHED)
        proxy.reload()
        assert await until_cached(proxy), proxy.process.log_text()
        answers = [await ask(reader, writer, "/kept") for _ in range(2)]
        assert [is_hit(head) for head, _ in answers] == [False, True]
        writer.close()
        assert proxy.process.running


async def test_a_broken_file_leaves_the_running_policy_in_force_and_says_why(
    new_proxy: NewProxy, tmp_path: Path
) -> None:
    policies = tmp_path / "policies.yaml"
    policies.write_text(CACHED)
    async with running_origin(answering(PLAIN)) as origin:
        proxy = await asyncio.to_thread(new_proxy, ProxyOptions(upstream=origin.url, policies=policies))
        policies.write_text(BROKEN)
        proxy.reload()
        said = await asyncio.to_thread(wait_until, lambda: "tttl" in proxy.process.log_text(), timeout_s=10)
        assert said, proxy.process.log_text()
        assert await hits_twice(proxy, "/still")


async def test_a_broken_file_never_starts_a_server(new_proxy: NewProxy, tmp_path: Path) -> None:
    policies = tmp_path / "policies.yaml"
    policies.write_text(BROKEN)
    proxy = ProxyServer(ProxyOptions(upstream="http://127.0.0.1:1", policies=policies), tmp_path)
    proxy.process.start()
    assert await asyncio.to_thread(proxy.process.wait, 20)
    assert proxy.process.exit_code not in {0, None}
    text = proxy.process.log_text()
    assert "tttl" in text
    assert "ttl" in text.replace("tttl", "")
    assert "Traceback" not in text


async def test_a_python_without_keyed_hashes_has_hits_the_normal_way(new_proxy: NewProxy, tmp_path: Path) -> None:
    policies = tmp_path / "policies.yaml"
    policies.write_text(CACHED)
    (tmp_path / "sitecustomize.py").write_text(OTHER_HASH)
    env = {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    async with running_origin(answering(PLAIN)) as origin:
        options = ProxyOptions(upstream=origin.url, policies=policies, env=env)
        proxy = await asyncio.to_thread(new_proxy, options)
        assert await hits_twice(proxy, "/a")
    assert await asyncio.to_thread(proxy.process.says, "the fast path is off")
    assert "fnv" in proxy.process.log_text()


async def test_an_exchange_under_way_survives_a_reload(new_proxy: NewProxy, tmp_path: Path) -> None:
    policies = tmp_path / "policies.yaml"
    policies.write_text(UNCACHED)
    gate, asked = asyncio.Event(), asyncio.Event()
    async with running_origin(held(gate, asked)) as origin:
        proxy = await asyncio.to_thread(new_proxy, ProxyOptions(upstream=origin.url, policies=policies))
        answer = asyncio.get_running_loop().run_in_executor(None, fetch, f"{proxy.url}/held")
        await asyncio.wait_for(asked.wait(), 10)
        policies.write_text("# changed\n" + UNCACHED)
        proxy.reload()
        await asyncio.sleep(0.3)
        gate.set()
        assert (await answer).body == b"first-half"


async def test_a_stop_drains(new_proxy: NewProxy) -> None:
    gate, asked = asyncio.Event(), asyncio.Event()
    async with running_origin(held(gate, asked)) as origin:
        proxy = await asyncio.to_thread(new_proxy, ProxyOptions(upstream=origin.url))
        idle = await asyncio.open_connection("127.0.0.1", proxy.port)
        answer = asyncio.get_running_loop().run_in_executor(None, fetch, f"{proxy.url}/held")
        await asyncio.wait_for(asked.wait(), 10)
        stopping = asyncio.get_running_loop().run_in_executor(None, proxy.stop)
        # Nobody new is let in, and nobody idle keeps it from ending.
        assert await asyncio.to_thread(wait_until, lambda: not port_is_open(proxy.port), timeout_s=5)
        assert proxy.process.running
        gate.set()
        assert (await answer).body == b"first-half"
        await stopping
        assert proxy.process.exit_code == 0
        idle[1].close()


async def test_a_stop_waits_for_the_rest_of_a_body_and_no_longer(new_proxy: NewProxy) -> None:
    async with running_origin(answering(PLAIN)) as origin:
        proxy = await asyncio.to_thread(new_proxy, ProxyOptions(upstream=origin.url))
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"POST /slow HTTP/1.1\r\nHost: origin\r\nContent-Length: 11\r\n\r\n")
        await writer.drain()
        await asyncio.to_thread(fetch, f"{proxy.url}/after-it")
        stopping = asyncio.get_running_loop().run_in_executor(None, proxy.stop)
        assert await asyncio.to_thread(wait_until, lambda: not port_is_open(proxy.port), timeout_s=5)
        writer.write(b"hello ")
        await writer.drain()
        writer.write(b"world")
        # What comes after the last request of a connection that ends is not answered.
        writer.write(b"GET /another HTTP/1.1\r\nHost: origin\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 5)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.count(b"HTTP/1.1 ") == 1
        await asyncio.wait_for(stopping, 5)
        assert proxy.process.exit_code == 0
        writer.close()


async def test_many_workers_share_a_port_and_stop_together(new_proxy: NewProxy, redis_url: str) -> None:
    async with running_origin(answering(PLAIN)) as origin:
        options = ProxyOptions(upstream=origin.url, redis_url=redis_url, workers=2)
        proxy = await asyncio.to_thread(new_proxy, options)
        family = psutil.Process(proxy.process.pid).children(recursive=True)
        for _ in range(10):
            answer = await asyncio.to_thread(fetch, f"{proxy.url}/x")
            assert (answer.status, answer.body) == (200, b"plain")
        await asyncio.to_thread(proxy.stop)
        assert proxy.process.exit_code == 0
        assert not any(map(is_alive, family))


async def test_a_bad_file_on_disk_does_not_keep_a_dead_worker_from_being_replaced(
    new_proxy: NewProxy, redis_url: str, tmp_path: Path
) -> None:
    policies = tmp_path / "policies.yaml"
    policies.write_text(CACHED)
    async with running_origin(answering(PLAIN)) as origin:
        options = ProxyOptions(upstream=origin.url, redis_url=redis_url, workers=2, policies=policies)
        proxy = await asyncio.to_thread(new_proxy, options)
        before = {worker.pid for worker in live_children(proxy.process.pid)}
        policies.write_text(BROKEN)
        psutil.Process(min(before)).kill()

        def replaced() -> bool:
            now = {worker.pid for worker in live_children(proxy.process.pid)}
            return len(now) == 2 and now != before

        assert await asyncio.to_thread(wait_until, replaced, timeout_s=20), proxy.process.log_text()
        # the new worker says what is wrong with the file, and serves with the policy that is in force everywhere
        said = await asyncio.to_thread(
            wait_until, lambda: "the policy stays as it is" in proxy.process.log_text(), timeout_s=20
        )
        assert said, proxy.process.log_text()
        psutil.Process(max(before)).kill()
        assert await until_cached(proxy), proxy.process.log_text()


async def test_a_hang_up_without_a_change_is_answered_in_the_log(new_proxy: NewProxy, tmp_path: Path) -> None:
    policies = tmp_path / "policies.yaml"
    policies.write_text(CACHED)
    async with running_origin(answering(PLAIN)) as origin:
        proxy = await asyncio.to_thread(new_proxy, ProxyOptions(upstream=origin.url, policies=policies))
        proxy.reload()
        said = await asyncio.to_thread(
            wait_until, lambda: "nothing has changed" in proxy.process.log_text(), timeout_s=10
        )
        assert said, proxy.process.log_text()


async def test_an_answer_under_way_at_a_stop_says_that_it_is_the_last(new_proxy: NewProxy) -> None:
    gate, asked = asyncio.Event(), asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await gate.wait()
        writer.write(PLAIN)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(slow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    proxy = await asyncio.to_thread(new_proxy, ProxyOptions(upstream=f"http://127.0.0.1:{port}"))
    answer = asyncio.get_running_loop().run_in_executor(None, fetch, f"{proxy.url}/slow")
    await asyncio.wait_for(asked.wait(), 10)
    stopping = asyncio.get_running_loop().run_in_executor(None, proxy.stop)
    assert await asyncio.to_thread(wait_until, lambda: not port_is_open(proxy.port), timeout_s=5)
    gate.set()
    answered = await answer
    assert answered.body == b"plain"
    assert answered.header("Connection") == "close"
    await stopping
    server.close()


async def test_what_a_policy_shares_between_users_is_warned_about_at_start_and_at_a_reload(
    new_proxy: NewProxy, tmp_path: Path
) -> None:
    policies = tmp_path / "policies.yaml"

    def warned(proxy: ProxyServer, key: str) -> bool:
        return any(f"{policies}:3:" in line and f": {key}: " in line for line in proxy.process.log_text().splitlines())

    policies.write_text(CACHED.replace("ttl: 1m", "ttl: 1m, share_authorized: true"))
    async with running_origin(answering(PLAIN)) as origin:
        proxy = await asyncio.to_thread(new_proxy, ProxyOptions(upstream=origin.url, policies=policies))
        key = "routes[0].cache.share_authorized"
        assert await asyncio.to_thread(wait_until, lambda: warned(proxy, key), timeout_s=10)
        policies.write_text(CACHED.replace("ttl: 1m", 'ttl: 1m, cookies: {ignore: ["*"]}'))
        proxy.reload()
        ignored = "routes[0].cache.cookies.ignore[0]"
        assert await asyncio.to_thread(wait_until, lambda: warned(proxy, ignored), timeout_s=10)


SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


async def test_a_stop_ends_tunnels_both_ways_at_once(new_proxy: NewProxy) -> None:
    """What both sides sent before the signal arrives, and then both are told the end, long before the drain is over."""
    seen: asyncio.Queue[bytes] = asyncio.Queue()
    go_on = asyncio.Event()

    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(SWITCHED)
        seen.put_nowait(await connection.reader.readexactly(6))
        await connection.send(b"answer")
        await go_on.wait()
        seen.put_nowait(await connection.reader.read())

    async with running_origin(script) as origin:
        proxy = await asyncio.to_thread(new_proxy, ProxyOptions(upstream=origin.url))
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"GET /ws HTTP/1.1\r\nHost: origin\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nbefore")
        async with asyncio.timeout(10):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
            assert await seen.get() == b"before"
            proxy.process.send(signal.SIGTERM)
            # The client is told the end after all that came for it; so is the backend, though neither has ended.
            assert await reader.read() == b"answer"
            go_on.set()
            assert await seen.get() == b""
        writer.close()
        assert await asyncio.to_thread(proxy.process.wait, 10)
        assert proxy.process.exit_code == 0
        (line,) = [line for line in proxy.log_records() if line.get("path") == "/ws"]
        assert (line["status"], line["end"], line["bytes_in"], line["bytes_out"]) == (101, "drain", 6, 6)


async def test_no_file_descriptors_are_told_once_and_end(new_proxy: NewProxy) -> None:
    async with running_origin(answering(PLAIN)) as origin:
        proxy = await asyncio.to_thread(new_proxy, ProxyOptions(upstream=origin.url))
        process = psutil.Process(proxy.process.pid)
        soft, hard = process.rlimit(psutil.RLIMIT_NOFILE)
        process.rlimit(psutil.RLIMIT_NOFILE, (process.num_fds() + 4, hard))
        clients = [await asyncio.open_connection("127.0.0.1", proxy.port) for _ in range(60)]
        said = "no more connections can be accepted for now: Too many open files"
        assert await asyncio.to_thread(wait_until, lambda: said in proxy.process.log_text(), timeout_s=10)
        process.rlimit(psutil.RLIMIT_NOFILE, (soft, hard))
        for _, writer in clients:
            writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert (await ask(reader, writer, "/"))[1] == b"plain"
        writer.close()
        proxy.stop()
    assert proxy.process.log_text().count("can be accepted") == 1


LIMITED = """
rate_limits: {few: {rate: 3/1h}}
defaults: {rate_limit: few}
"""


async def test_an_emptied_file_takes_no_route_and_no_limit_away(new_proxy: NewProxy, tmp_path: Path) -> None:
    policies = tmp_path / "policies.yaml"
    policies.write_text(CACHED + LIMITED)
    async with running_origin(answering(PLAIN)) as origin:
        proxy = await asyncio.to_thread(new_proxy, ProxyOptions(upstream=origin.url, policies=policies))
        assert await hits_twice(proxy, "/kept")
        policies.write_text("")
        proxy.reload()

        def said() -> bool:
            return "is empty now" in proxy.process.log_text() or "is in force" in proxy.process.log_text()

        assert await asyncio.to_thread(wait_until, said, timeout_s=10)
        again = [await asyncio.to_thread(fetch, f"{proxy.url}/kept") for _ in range(2)]
        assert [(answer.status, answer.hit) for answer in again] == [(200, True), (429, False)]
        told = [str(line["message"]) for line in proxy.log_records() if line.get("level") == "error"]
        assert len(told) == 1
        assert "is empty now; write `version: 1` to run without routes and limits" in told[0]
