"""The stores and logs that the suites run on: doubles, and the real Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from proxy.app.clock import SystemClock
from proxy.ports import EntryStore, InvalidationLog
from proxy.stores.connect import connect, parse_redis_url
from proxy.stores.memory import MemoryStore
from proxy.stores.memory_log import MemoryLog
from proxy.stores.redis_store import RedisStore, RedisStoreSettings
from proxy.stores.tiered import TieredStore
from tests.support.entries import FakeClock
from tests.support.shared_log import node


@pytest.fixture(params=["memory", "redis"])
async def log(request: pytest.FixtureRequest) -> AsyncIterator[InvalidationLog]:
    """A log that has started and leads."""
    if request.param == "redis":
        async with node("only", request.getfixturevalue("redis_url")) as alone:
            await alone.leads()
            yield alone.log
        return
    memory = MemoryLog(FakeClock())
    await memory.start()
    yield memory
    await memory.aclose()


@pytest.fixture(params=["memory", "redis", "tiered"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[EntryStore]:
    """An empty store that has started; the log's epoch is "e"."""
    memory = MemoryStore()
    if request.param == "memory":
        yield memory
        return
    client = connect(parse_redis_url(request.getfixturevalue("redis_url")))
    shared = RedisStore(client, SystemClock(), lambda: "e", RedisStoreSettings(timeout_s=5))
    yield shared if request.param == "redis" else TieredStore(memory, shared, Trusting(FakeClock()))
    await client.aclose()


class Trusting(MemoryLog):
    """A log in which nothing has happened, in the epoch "e"."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self._epoch = "e"
        self._seq = 1
