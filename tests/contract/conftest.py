"""The stores and logs that the suites run on: doubles, and the real Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from proxy.ports import EntryStore, InvalidationLog
from proxy.stores.memory import MemoryStore
from proxy.stores.memory_log import MemoryLog
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


@pytest.fixture(params=["memory"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[EntryStore]:
    """An empty store that has started."""
    memory = MemoryStore()
    await memory.start()
    yield memory
    await memory.aclose()
