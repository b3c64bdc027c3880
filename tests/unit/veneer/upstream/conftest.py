"""A pool against a scripted origin."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import uvloop

from tests.support.clock import ManualClock
from tests.support.origin import Origin, Script, running_origin
from veneer.core.fields import Fields
from veneer.core.messages import RequestHead
from veneer.loop.tasks import Tasks
from veneer.upstream.pool import UpstreamPool
from veneer.upstream.settings import Endpoint, PoolSettings


@dataclass
class Bench:
    """What a test of the pool works with."""

    pool: UpstreamPool
    origin: Origin
    clock: ManualClock
    tasks: Tasks


@contextlib.asynccontextmanager
async def pool_for(script: Script, **changes: Any) -> AsyncIterator[Bench]:
    """A pool whose backend runs `script`; `changes` go into its settings. Nothing may be left running at the end."""
    async with running_origin(script) as origin:
        clock, tasks = ManualClock(), Tasks()
        settings = replace(PoolSettings(Endpoint.parse(origin.url)), **changes)
        pool = UpstreamPool(settings, clock, tasks)
        try:
            yield Bench(pool, origin, clock, tasks)
        finally:
            await pool.aclose()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert pool.open_connections == 0
            assert len(tasks) == 0


def request(method: str = "GET", path: str = "/", *fields: tuple[str, str]) -> RequestHead:
    return RequestHead(method, path, None, "example.org", Fields(fields))


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Both event loops, since their transports differ."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
