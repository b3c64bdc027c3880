"""Whose word a lifetime is: what clients get, and what operators are told whose `ttl` changes nothing."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from devstack.process import ROOT
from devstack.proxy import ProxyOptions, ProxyServer
from tests.support.client import fetch
from tests.support.origin import answering, running_origin

NewProxy = Callable[[ProxyOptions], ProxyServer]

ORIGIN_SAYS = "Cache-Control: s-maxage=3600"
RESPONSE = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n{ORIGIN_SAYS}\r\nContent-Length: 5\r\n\r\nplain".encode()
LIFETIME = "the backend's s-maxage; the route's ttl of 10s does nothing beside it (`origin: respect`)"


async def command(env: dict[str, str], *argv: str) -> tuple[int | None, str]:
    """Run the proxy's program; its exit status and all that it said, in one line."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "veneer", *argv),
        cwd=ROOT,
        env={**os.environ, **env},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, " ".join(said.decode().split())


@pytest.mark.parametrize(
    ("cache", "env"),
    [("cache: {ttl: 10s}", {}), ("cache: {}", {"CACHE_EXPIRATION_SECONDS": "10"})],
    ids=["the-policy", "the-environment"],
)
async def test_a_ttl_beside_which_the_backend_speaks_is_told_to_do_nothing(
    new_proxy: NewProxy, tmp_path: Path, cache: str, env: dict[str, str]
) -> None:
    async with running_origin(answering(RESPONSE)) as origin:
        policies = tmp_path / "policies.yaml"
        policies.write_text(
            f'version: 1\nupstreams: {{api: {{url: "{origin.url}"}}}}\n'
            f'routes: [{{name: a, match: {{path: "/a"}}, upstream: api, {cache}}}]\n'
            "tests: [{request: {path: /a}, expect: {ttl: 10s}}]\n"
        )
        proxy = await asyncio.to_thread(new_proxy, ProxyOptions(upstream=None, policies=policies, env=env))
        await asyncio.to_thread(fetch, f"{proxy.url}/a")
        hit = await asyncio.to_thread(fetch, f"{proxy.url}/a")
        left = re.search(r"ttl=(\d+)", hit.header("Cache-Status") or "")
        assert hit.hit
        assert left is not None
        assert 10 < int(left[1]) <= 3600

        explain = ("explain", "/a", "--policies", str(policies))
        given, asked, checked = await asyncio.gather(
            command(env, *explain, "-R", ORIGIN_SAYS),
            command(env, *explain, "--ask"),
            command(env, "check-policies", "--ask", str(policies)),
        )
    for status, said in (given, asked):
        assert status == 0, said
        assert "a 200 is stored, fresh for 1h" in said
        assert f"lifetime {LIFETIME}" in said
    assert checked[0] == 1, checked[1]
    assert f"test failed for GET /a, as it is answered now: it would be fresh for 1h, by {LIFETIME}" in checked[1]
