"""Several listeners in front of one proxy: ports, a socket in the file system, and one for probes alone."""

from __future__ import annotations

import asyncio
import signal
import socket
import stat
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from devstack.process import free_port, port_is_open
from devstack.proxy import ProxyOptions, ProxyServer
from tests.support.origin import answering, running_origin

NewProxy = Callable[[ProxyOptions], ProxyServer]

HELLO = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: max-age=60\r\nContent-Length: 5\r\n\r\nhello"


def over_socket(path: Path, *fields: str) -> bytes:
    """One exchange through a socket in the file system."""
    head = "\r\n".join(["GET /a HTTP/1.1", "Host: a.example", "Connection: close", *fields, "", ""])
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(10)
        client.connect(str(path))
        client.sendall(head.encode())
        return b"".join(iter(lambda: client.recv(65_536), b""))


def status_of(url: str, method: str = "GET") -> int:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, method=method), timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.parametrize("workers", [1, 2])
async def test_ports_a_socket_and_probes_are_served_at_once(
    workers: int, new_proxy: NewProxy, redis_url: str, tmp_path: Path
) -> None:
    path, second, probes = tmp_path / "clients.sock", free_port(), free_port()
    policies = tmp_path / "policies.yaml"
    policies.write_text(
        f"""version: 1
listeners:
  - {{address: "unix:{path}", mode: "0600"}}
  - {{address: "127.0.0.1:{second}"}}
trusted_proxies: [127.0.0.1]
admin: {{probes: "0.0.0.0:{probes}"}}
""",
        "utf-8",
    )
    async with running_origin(answering(HELLO)) as origin:
        options = ProxyOptions(
            upstream=origin.url, policies=policies, redis_url=redis_url if workers > 1 else None, workers=workers
        )
        proxy = await asyncio.to_thread(new_proxy, options)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        told = await asyncio.to_thread(over_socket, path, "X-Forwarded-For: 198.51.100.7")
        assert told.startswith(b"HTTP/1.1 200 OK")
        plain = await asyncio.to_thread(over_socket, path)
        assert b"hit" in plain, "one store is behind all of them"
        for port in (proxy.port, second):
            assert await asyncio.to_thread(status_of, f"http://127.0.0.1:{port}/b") == 200
        asked = [("health", 200), ("ready", 200), ("metrics", 200), ("stats", 404), ("purge", 404)]
        for name, status in asked:
            assert await asyncio.to_thread(status_of, f"http://127.0.0.1:{probes}/{name}") == status, name
        assert await asyncio.to_thread(status_of, f"http://127.0.0.1:{probes}/purge", "POST") == 404
        assert await asyncio.to_thread(proxy.stop)
        clients = [record["client"] for record in proxy.log_records() if record.get("path") == "/a"]
        assert clients == ["198.51.100.7", "127.0.0.1"]
        assert not path.exists()
        assert not port_is_open(second)


async def test_a_killed_process_leaves_a_socket_that_the_next_one_takes_over(
    new_proxy: NewProxy, tmp_path: Path
) -> None:
    path, policies = tmp_path / "clients.sock", tmp_path / "policies.yaml"
    policies.write_text(f'version: 1\nlisteners: [{{address: "unix:{path}"}}]\n', "utf-8")
    async with running_origin(answering(HELLO)) as origin:
        options = ProxyOptions(upstream=origin.url, policies=policies)
        first = await asyncio.to_thread(new_proxy, options)
        await asyncio.to_thread(first.kill)
        assert path.exists()
        second = await asyncio.to_thread(new_proxy, options)
        assert (await asyncio.to_thread(over_socket, path)).startswith(b"HTTP/1.1 200 OK")
        second.process.send(signal.SIGTERM)
        assert await asyncio.to_thread(second.stop)
        assert not path.exists()
