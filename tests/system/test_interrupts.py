"""Interrupted once, everything ends in order and lets nobody new in; interrupted twice, it ends at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from devstack.process import port_is_open, wait_until
from devstack.proxy import ProxyOptions, ProxyServer
from tests.support.client import fetch
from tests.support.origin import held, running_origin

NewProxy = Callable[[ProxyOptions], ProxyServer]


def all_serve(proxy: ProxyServer, workers: int) -> bool:
    return f"{workers} of {workers} serve".encode() in fetch(f"{proxy.admin_url}/health/detailed").body


@pytest.mark.parametrize("workers", [None, 2])
async def test_who_interrupts_twice_does_not_wait_for_the_drain(
    new_proxy: NewProxy, redis_url: str, tmp_path: Path, workers: int | None
) -> None:
    policies = tmp_path / "policies.yaml"
    policies.write_text("version: 1\ntimeouts: {drain: 90s}\n")
    gate, asked = asyncio.Event(), asyncio.Event()
    async with running_origin(held(gate, asked)) as origin:
        options = ProxyOptions(upstream=origin.url, redis_url=redis_url, workers=workers, policies=policies)
        proxy = await asyncio.to_thread(new_proxy, options)
        if workers is not None:  # one that is starting still does not know yet what the signal means
            assert await asyncio.to_thread(wait_until, lambda: all_serve(proxy, workers), timeout_s=60)
        family = [psutil.Process(proxy.process.pid), *psutil.Process(proxy.process.pid).children(recursive=True)]
        _, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"GET /held HTTP/1.1\r\nHost: origin\r\n\r\n")
        await asyncio.wait_for(asked.wait(), 10)
        os.killpg(proxy.process.pid, signal.SIGINT)  # as a terminal does
        assert await asyncio.to_thread(wait_until, lambda: not port_is_open(proxy.port), timeout_s=10)
        assert proxy.process.running
        os.killpg(proxy.process.pid, signal.SIGINT)
        ended = await asyncio.to_thread(proxy.process.wait, 10)
        assert ended, "it is draining still"
        assert proxy.process.exit_code == -signal.SIGINT
        _, alive = await asyncio.to_thread(psutil.wait_procs, family, 10)
        assert not alive
        gate.set()
        writer.close()
