"""Clients that break downloads off, and such as read slowly: what is kept for them is let go."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from itertools import count

import psutil

from checks.storm.figures import at_most
from checks.storm.servers import Setting, Veneer
from checks.storm.stage import Stage

MEMORY = "stores: {memory: 64MB}\n"
BODY_BYTES, READ_BYTES = 400_000, 30_000
URLS = 200_000
AT_ONCE = 50
WARM_SHARE = 0.25
IDLE_S = 7.0
"""Longer than connections to the backend are kept."""


async def leave(stage: Stage) -> None:
    """Downloads of stored and new bodies are broken off or read slowly, for three times as long as others measure."""
    async with stage.backends() as backends:
        veneer = stage.veneer(backends, Setting(top=MEMORY))
        async with stage.before(backends, veneer):
            process = psutil.Process(veneer.nodes[0].process.pid)
            await asyncio.sleep(1)
            descriptors = process.num_fds()
            numbers = count()
            await _downloads(stage, veneer, numbers, stage.seconds * 3 * WARM_SHARE)
            await asyncio.sleep(1)
            warm = process.memory_info().rss
            await _downloads(stage, veneer, numbers, stage.seconds * 3 * (1 - WARM_SHARE))
            await asyncio.sleep(IDLE_S)
            after = process.memory_info().rss
            stage.note(veneer, "downloads", next(numbers))
            stage.note(veneer, "memory after warm-up, MB", warm / 1e6)
            stage.note(veneer, "memory after : after warm-up", after / warm, at_most(1.1))
            stage.note(veneer, "descriptors more than before", process.num_fds() - descriptors, at_most(0))


async def _downloads(stage: Stage, veneer: Veneer, numbers: Iterator[int], seconds: float) -> None:
    until = asyncio.get_running_loop().time() + seconds
    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(_leaving(veneer.ports[0], numbers, until))
    stage.ledger.tally.operations += 1


async def _leaving(port: int, numbers: Iterator[int], until: float) -> None:
    loop = asyncio.get_running_loop()
    while loop.time() < until:
        number = next(numbers)
        # Half of them are for the same few bodies, so that hits are broken off as well as misses.
        url = number % 50 if number % 2 else number % URLS
        with suppress(OSError):
            await _break_off(port, url, slow=number % 10 == 0)


async def _break_off(port: int, url: int, *, slow: bool) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        path = f"/big/{url}?control=max-age%3D3600&bytes={BODY_BYTES}"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: storm.example\r\n\r\n".encode())
        for _ in range(5 if slow else 1):
            await reader.read(READ_BYTES)
            if slow:
                await asyncio.sleep(0.05)
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)
