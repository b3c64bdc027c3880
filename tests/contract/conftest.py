"""The stores and logs that the suites run on: doubles, and the real Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.support.calling import calling
from tests.support.entries import FakeClock
from tests.support.redis_fixtures import shared_url
from tests.support.shared_log import LINK, node
from veneer.loop.clock import SystemClock
from veneer.ports import EntryStore, InvalidationLog
from veneer.stores.memory import MemoryStore
from veneer.stores.memory_log import MemoryLog
from veneer.stores.redis_access import RedisStoreSettings
from veneer.stores.redis_store import RedisStore
from veneer.stores.tiered import TieredStore


@pytest.fixture(params=["memory", "redis", "cluster", "sentinel"])
async def log(request: pytest.FixtureRequest) -> AsyncIterator[InvalidationLog]:
    """A log that has started and leads."""
    if request.param == "memory":
        memory = MemoryLog(FakeClock())
        await memory.start()
        yield memory
        await memory.aclose()
        return
    brief = replace(LINK, lease_s=0.3, timeout_s=2.0)
    async with node("only", shared_url(request.param, request), brief) as alone:
        await alone.leads()
        yield alone.log


@pytest.fixture(params=["memory", "redis", "tiered", "cluster", "sentinel"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[EntryStore]:
    """An empty store that has started; the log's epoch is "e"."""
    memory = MemoryStore()
    if request.param == "memory":
        yield memory
        return
    async with calling(shared_url(request.param, request)) as caller:
        shared = RedisStore(caller, SystemClock(), lambda: "e", RedisStoreSettings(timeout_s=5))
        yield TieredStore(memory, shared, trusting()) if request.param == "tiered" else shared


def trusting() -> MemoryLog:
    """A log in which nothing has happened, in the epoch "e"."""
    log = MemoryLog(FakeClock())
    log._epoch, log._seq = "e", 1
    return log
