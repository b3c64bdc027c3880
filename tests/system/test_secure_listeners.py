"""TLS towards clients: what curl and Python's ssl get, and certificates that change while connections are open."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import re
import shutil
import signal
import ssl
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from devstack.process import free_port, wait_until
from devstack.proxy import ProxyOptions, ProxyServer
from tests.support.certificates import Pair, new_pair
from tests.support.origin import answering, running_origin
from tests.support.processes import live_children
from veneer.loop.clock import SystemClock

NewProxy = Callable[[ProxyOptions], ProxyServer]

HELLO = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: max-age=60\r\nContent-Length: 5\r\n\r\nhello"
ASKED = b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Client:
    """A connection that stays open."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def connected(cls, port: int, pair: Pair) -> Client:
        """Raises ssl.SSLCertVerificationError where another certificate is shown."""
        opened = asyncio.open_connection("127.0.0.1", port, ssl=pair.trusting(), server_hostname="localhost")
        return cls(*await opened)

    async def ask(self) -> bytes:
        self._writer.write(ASKED)
        return await self._reader.readuntil(b"hello")

    def close(self) -> None:
        self._writer.close()


async def shows(port: int, pair: Pair) -> bool:
    """Whether a new connection gets this certificate."""
    try:
        client = await Client.connected(port, pair)
    except ssl.SSLCertVerificationError:
        return False
    client.close()
    return True


def metric(proxy: ProxyServer, name: str) -> dict[str, float]:
    """A family of /metrics by its labels; empty where it cannot be asked now."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{proxy.admin_url}/metrics") as found:
            text = found.read().decode()
    except OSError:
        return {}
    return {labels: float(value) for labels, value in re.findall(rf"^{name}\{{(.*?)\}} (\S+)$", text, re.MULTILINE)}


def serving(proxy: ProxyServer) -> int:
    return round(metric(proxy, "veneer_workers").get('state="serving"', 0))


def pids(proxy: ProxyServer) -> set[int]:
    return {child.pid for child in live_children(proxy.process.pid)}


def policy_file(folder: Path, port: int, pair: Pair) -> Path:
    file = folder / "policies.yaml"
    text = f'version: 1\nlisteners: [{{address: "127.0.0.1:{port}", tls: {pair.as_policy()}}}]\n'
    file.write_text(text, "utf-8")
    return file


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_curl_speaks_http_1_over_both_versions(new_proxy: NewProxy, tmp_path: Path) -> None:
    pair, port = new_pair(tmp_path, "localhost"), free_port()
    async with running_origin(answering(HELLO)) as origin:
        options = ProxyOptions(upstream=origin.url, policies=policy_file(tmp_path, port, pair))
        await asyncio.to_thread(new_proxy, options)
        asked = ["curl", "-sS", "--noproxy", "*", "--resolve", f"localhost:{port}:127.0.0.1"]
        asked += ["--cacert", str(pair.certificate), "-w", " %{http_version}", f"https://localhost:{port}/a"]
        for version in ("1.2", "1.3"):
            told = await asyncio.to_thread(
                subprocess.run, [*asked, f"--tlsv{version}", "--tls-max", version], capture_output=True, check=False
            )
            assert (told.stdout, told.stderr) == (b"hello 1.1", b"")


async def test_the_log_says_that_a_request_came_over_tls_whatever_answered_it(
    new_proxy: NewProxy, tmp_path: Path
) -> None:
    pair, port = new_pair(tmp_path, "localhost"), free_port()
    async with running_origin(answering(HELLO)) as origin:
        options = ProxyOptions(upstream=origin.url, policies=policy_file(tmp_path, port, pair))
        proxy = await asyncio.to_thread(new_proxy, options)
        client = await Client.connected(port, pair)
        for _ in range(4):  # a miss, a hit, and two that repeat it
            await client.ask()
        client.close()

        def told() -> list[tuple[object, object]]:
            return [(line["cache"], line.get("scheme")) for line in proxy.log_records() if line.get("path") == "/a"]

        assert await asyncio.to_thread(wait_until, lambda: len(told()) == 4, timeout_s=10)
        assert told() == [("miss", "https"), *[("hit", "https")] * 3]


async def test_a_changed_certificate_is_taken_up_without_a_drop_and_a_broken_one_is_not(
    new_proxy: NewProxy, tmp_path: Path
) -> None:
    pair, port = new_pair(tmp_path, "localhost"), free_port()
    first = new_pair(tmp_path, "first")
    pair.certificate.write_bytes(first.certificate.read_bytes())
    pair.key.write_bytes(first.key.read_bytes())
    async with running_origin(answering(HELLO)) as origin:
        options = ProxyOptions(upstream=origin.url, policies=policy_file(tmp_path, port, pair))
        proxy = await asyncio.to_thread(new_proxy, options)
        kept = await Client.connected(port, first)
        await kept.ask()

        pair.key.write_bytes(new_pair(tmp_path, "broken").key.read_bytes())
        proxy.reload()
        assert await asyncio.to_thread(
            wait_until, lambda: "the key of another certificate" in proxy.process.log_text(), timeout_s=20
        )
        assert await shows(port, first), "the pair from before is still shown"

        second = new_pair(tmp_path, "second")
        pair.certificate.write_bytes(second.certificate.read_bytes())
        pair.key.write_bytes(second.key.read_bytes())
        assert await asyncio.to_thread(
            wait_until, lambda: "has another certificate from now on" in proxy.process.log_text(), timeout_s=20
        ), "files are watched: no signal is needed"
        assert await shows(port, second)
        assert not await shows(port, first)
        assert (await kept.ask()).startswith(b"HTTP/1.1 200 OK"), "who is connected stays"
        kept.close()
        assert "Traceback" not in proxy.process.log_text()


async def test_a_worker_that_follows_a_dead_one_while_the_certificate_is_broken_shows_the_last_good_one(
    new_proxy: NewProxy, tmp_path: Path, redis_url: str
) -> None:
    ends = dt.datetime.fromtimestamp(round(SystemClock().now()) + 10 * 86_400, dt.UTC)
    pair, port = new_pair(tmp_path, "localhost", ends=ends), free_port()
    shown = new_pair(tmp_path, "shown")
    shown.certificate.write_bytes(pair.certificate.read_bytes())
    async with running_origin(answering(HELLO)) as origin:
        policies = policy_file(tmp_path, port, pair)
        options = ProxyOptions(upstream=origin.url, policies=policies, redis_url=redis_url, workers=2)
        proxy = await asyncio.to_thread(new_proxy, options)
        assert await asyncio.to_thread(wait_until, lambda: serving(proxy) == 2, timeout_s=60)
        warned = [line for line in proxy.log_records() if "expires on" in str(line.get("event", line))]
        assert len(warned) == 1, "one of the workers says it"

        pair.certificate.write_text("half a certif", "ascii")
        pair.key.unlink()
        assert await asyncio.to_thread(wait_until, lambda: "cannot be read" in proxy.process.log_text(), timeout_s=20)
        before = pids(proxy)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        assert await asyncio.to_thread(
            wait_until, lambda: not before & pids(proxy) and serving(proxy) == 2, timeout_s=60
        ), proxy.process.log_text()
        for _ in range(8):  # the system spreads connections over both
            assert await shows(port, shown)
        told = await asyncio.to_thread(metric, proxy, "veneer_tls_certificate_expiry_timestamp_seconds")
        assert told == {f'listener="127.0.0.1:{port}",server_name="localhost"': ends.timestamp()}
