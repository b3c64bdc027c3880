"""Clients that break downloads off, and such as read slowly: what is kept for them is let go."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count

import psutil

from checks.storm.figures import at_most
from checks.storm.load import Ask
from checks.storm.servers import Setting, Veneer
from checks.storm.stage import Stage

MEMORY = "stores: {memory: 64MB}\n"
BODY_BYTES, READ_BYTES = 400_000, 30_000
WHOLE = f"control=max-age%3D3600&bytes={BODY_BYTES}"
FILLING = 200
URLS = 200_000
AT_ONCE = 50
WARM_SHARE = 0.25
IDLE_S = 10.0
"""Idle connections to the backend are kept for 4.5 s, and looked at as often: the last is closed after twice that."""


@dataclass(slots=True)
class _Downloads:
    """Numbers the downloads, until there are enough or the time is over."""

    enough: float
    until_s: float
    numbers: Iterator[int] = field(default_factory=count)
    made: int = 0

    def next(self) -> int | None:
        """The number of another one; None when that was all."""
        if self.made >= self.enough or asyncio.get_running_loop().time() >= self.until_s:
            return None
        self.made += 1
        return next(self.numbers)


async def leave(stage: Stage) -> None:
    """Downloads of stored and new bodies are broken off or read slowly.

    There are as many as asked for, or as fit into three times as long as others measure.
    """
    async with stage.backends() as backends:
        veneer = stage.veneer(backends, Setting(top=MEMORY))
        async with stage.before(backends, veneer) as crowd:
            process = psutil.Process(veneer.nodes[0].process.pid)
            loop = asyncio.get_running_loop()
            # The store is full before anything is measured: a few of the downloads that are broken off get there late.
            await crowd.once(Ask("big", (), WHOLE), range(URLS - FILLING, URLS))
            crowd.close()
            await asyncio.sleep(1)
            descriptors, began_s = process.num_fds(), loop.time()
            enough, lasts_s = stage.requests or math.inf, math.inf if stage.requests else stage.seconds * 3
            whole = _Downloads(enough, began_s + lasts_s)
            warming = replace(whole, enough=enough * WARM_SHARE, until_s=began_s + lasts_s * WARM_SHARE)
            await _download(stage, veneer, warming)
            await asyncio.sleep(1)
            warm = process.memory_info().rss
            whole.made = warming.made
            await _download(stage, veneer, whole)
            took_s = loop.time() - began_s
            await asyncio.sleep(IDLE_S)
            after = process.memory_info().rss
            stage.note(veneer, "downloads", whole.made)
            stage.note(veneer, "downloads per second", whole.made / took_s)
            stage.note(veneer, "memory after warm-up, MB", warm / 1e6)
            stage.note(veneer, "memory after : after warm-up", after / warm, at_most(1.1))
            stage.note(veneer, "descriptors more than before", process.num_fds() - descriptors, at_most(0))


async def _download(stage: Stage, veneer: Veneer, downloads: _Downloads) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(_leaving(veneer.ports[0], downloads))
    stage.ledger.tally.operations += 1


async def _leaving(port: int, downloads: _Downloads) -> None:
    while (number := downloads.next()) is not None:
        # Half of them are for the same few bodies, so that hits are broken off as well as misses.
        url = number // 2 % (50 if number % 2 else URLS)
        with suppress(OSError):
            await _break_off(port, url, slow=number % 11 == 0)


async def _break_off(port: int, url: int, *, slow: bool) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        path = f"/big/{url}?{WHOLE}"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: storm.example\r\n\r\n".encode())
        for _ in range(5 if slow else 1):
            await reader.read(READ_BYTES)
            if slow:
                await asyncio.sleep(0.05)
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)
