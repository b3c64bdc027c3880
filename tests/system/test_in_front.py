"""What stands in front of the proxy for what it does not do itself: PROXY headers by HAProxy, HTTP/2 by nginx."""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from devstack.process import ROOT, Launch, ManagedProcess, free_port, port_is_open
from devstack.proxy import ProxyOptions, ProxyServer
from tests.support.certificates import new_pair
from tests.support.client import fetch
from tests.support.origin import answering, running_origin

NewProxy = Callable[[ProxyOptions], ProxyServer]

HELLO = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"

HAPROXY = """
defaults
  mode tcp
  timeout connect 5s
  timeout client 5s
  timeout server 5s
listen first
  bind 127.0.0.1:{first}
  server veneer 127.0.0.1:{plain} source 127.0.0.2 send-proxy
listen second
  bind 127.0.0.1:{second}
  server veneer 127.0.0.1:{plain} source 127.0.0.2 send-proxy-v2
listen secured
  bind 127.0.0.1:{secured}
  server veneer 127.0.0.1:{secure} source 127.0.0.2 send-proxy-v2
"""


def curl(*arguments: str) -> str:
    told = subprocess.run(
        ["curl", "-sS", "--noproxy", "*", "--max-time", "10", *arguments], capture_output=True, text=True, check=False
    )
    return told.stdout + told.stderr


def clients_of(proxy: ProxyServer) -> list[object]:
    return [record["client"] for record in proxy.log_records() if "path" in record]


@pytest.mark.skipif(not (shutil.which("haproxy") and shutil.which("curl")), reason="HAProxy or curl is not installed")
async def test_haproxy_tells_whose_connections_it_passes_on(new_proxy: NewProxy, tmp_path: Path) -> None:
    pair = new_pair(tmp_path, "localhost")
    ports = {name: free_port() for name in ("first", "second", "secured", "plain", "secure")}
    policies = tmp_path / "policies.yaml"
    policies.write_text(
        f"""version: 1
listeners:
  - {{address: "127.0.0.1:{ports["plain"]}", proxy_protocol: [127.0.0.2]}}
  - {{address: "127.0.0.1:{ports["secure"]}", proxy_protocol: [127.0.0.2], tls: {pair.as_policy()}}}
""",
        "utf-8",
    )
    config = tmp_path / "haproxy.cfg"
    config.write_text(HAPROXY.format(**ports), "utf-8")
    front = ManagedProcess(Launch("haproxy", ["haproxy", "-db", "-f", str(config)], tmp_path / "haproxy.log"))
    async with running_origin(answering(HELLO)) as origin:
        proxy = await asyncio.to_thread(new_proxy, ProxyOptions(upstream=origin.url, policies=policies))
        await asyncio.to_thread(front.start)
        try:
            await asyncio.to_thread(front.wait_ready, lambda: port_is_open(ports["secured"]))
            for name in ("first", "second"):
                answer = await asyncio.to_thread(
                    curl, "--interface", "127.0.0.5", f"http://127.0.0.1:{ports[name]}/{name}"
                )
                assert answer == "hello"
            asked = ["--interface", "127.0.0.6", "--cacert", str(pair.certificate)]
            asked += ["--resolve", f"localhost:{ports['secured']}:127.0.0.1"]
            answer = await asyncio.to_thread(curl, *asked, f"https://localhost:{ports['secured']}/secured")
            assert answer == "hello"
            refused = await asyncio.to_thread(curl, f"http://127.0.0.1:{ports['plain']}/stranger")
            assert "hello" not in refused
            metrics = await asyncio.to_thread(fetch, f"{proxy.admin_url}/metrics")
        finally:
            await asyncio.to_thread(front.stop)
        assert await asyncio.to_thread(proxy.stop)
    assert clients_of(proxy) == ["127.0.0.5", "127.0.0.5", "127.0.0.6"]
    assert b'veneer_connections_refused_total{reason="proxy-untrusted"} 1.0' in metrics.body
    told = [head.lower() for head in origin.heads]
    assert [b"x-forwarded-for: 127.0.0.6" in head for head in told] == [False, False, True]
    assert [b"x-forwarded-proto: https" in head for head in told] == [False, False, True]


def documented(before: str) -> str:
    """The block that follows these words in docs/operations.md."""
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    return text.partition(before)[2].partition("```\n")[2].partition("```")[0]


@pytest.mark.skipif(not (shutil.which("nginx") and shutil.which("curl")), reason="nginx or curl is not installed")
async def test_nginx_as_documented_gives_clients_http_2(new_proxy: NewProxy, tmp_path: Path) -> None:
    if "HTTP2" not in await asyncio.to_thread(curl, "--version"):
        pytest.skip("this curl speaks no HTTP/2")
    pair, port, path = new_pair(tmp_path, "localhost"), free_port(), tmp_path / "clients.sock"
    block = documented("With nginx:")
    for old, new in (
        ("/run/veneer/clients.sock", str(path)),
        ("listen 443", f"listen 127.0.0.1:{port}"),
        ("/etc/nginx/tls.crt", str(pair.certificate)),
        ("/etc/nginx/tls.key", str(pair.key)),
    ):
        assert old in block
        block = block.replace(old, new)
    user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
    temporary = "".join(
        f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"daemon off; {user} pid {tmp_path}/pid; error_log {tmp_path}/error.log; events {{}}\n"
        f"http {{ access_log off; {temporary}\n{block}}}\n",
        "utf-8",
    )
    policies = tmp_path / "policies.yaml"
    policies.write_text(f'version: 1\nlisteners: [{{address: "unix:{path}"}}]\ntrusted_proxies: [127.0.0.1]\n', "utf-8")
    argv = ["nginx", "-p", str(tmp_path), "-c", str(config)]
    front = ManagedProcess(Launch("nginx", argv, tmp_path / "nginx.log"))
    async with running_origin(answering(HELLO)) as origin:
        proxy = await asyncio.to_thread(new_proxy, ProxyOptions(upstream=origin.url, policies=policies))
        await asyncio.to_thread(front.start)
        try:
            await asyncio.to_thread(front.wait_ready, lambda: port_is_open(port))
            asked = ["--http2", "--interface", "127.0.0.7", "--cacert", str(pair.certificate), "-w", " %{http_version}"]
            asked += ["--resolve", f"localhost:{port}:127.0.0.1", f"https://localhost:{port}/a"]
            assert await asyncio.to_thread(curl, *asked) == "hello 2"
        finally:
            await asyncio.to_thread(front.stop)
        assert await asyncio.to_thread(proxy.stop)
    assert clients_of(proxy) == ["127.0.0.7"]
    assert b"x-forwarded-proto: https" in origin.heads[0].lower()
