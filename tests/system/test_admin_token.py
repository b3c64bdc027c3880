"""The admin listener's token in a file: asked for, replaced while it runs, and never lost to a file that is broken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from devstack.process import wait_until
from devstack.proxy import ProxyOptions, ProxyServer
from tests.support.client import fetch

NewProxy = Callable[[ProxyOptions], ProxyServer]

FIRST, SECOND = "the-first-token-of-all", "another-token-after-it"


def status(proxy: ProxyServer, token: str | None) -> int:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return fetch(f"{proxy.admin_url}/status", headers=headers).status


@pytest.mark.parametrize("workers", [None, 2])
async def test_another_token_in_the_file_counts_without_a_restart_and_a_broken_file_does_not(
    new_proxy: NewProxy, tmp_path: Path, redis_url: str, workers: int | None
) -> None:
    token, policies = tmp_path / "token", tmp_path / "policies.yaml"
    token.write_text(f"{FIRST}\n", "ascii")
    policies.write_text(f"version: 1\nadmin: {{token_file: {token}}}\n", "utf-8")
    options = ProxyOptions("http://127.0.0.1:1", policies, redis_url if workers else None, workers)
    proxy = await asyncio.to_thread(new_proxy, options)
    told = [await asyncio.to_thread(status, proxy, one) for one in (None, SECOND, FIRST)]
    assert told == [401, 401, 200]

    token.write_text(f"{SECOND}\n", "ascii")
    assert await asyncio.to_thread(wait_until, lambda: status(proxy, SECOND) == 200, timeout_s=20)
    assert await asyncio.to_thread(status, proxy, FIRST) == 401

    token.write_text("\n", "ascii")
    assert await asyncio.to_thread(wait_until, lambda: "is empty" in proxy.process.log_text(), timeout_s=20)
    assert await asyncio.to_thread(status, proxy, SECOND) == 200
    assert await asyncio.to_thread(status, proxy, "") == 401
    assert proxy.process.log_text().count("asks for another token") == 1
    assert not {FIRST, SECOND} & set(proxy.process.log_text().split())
