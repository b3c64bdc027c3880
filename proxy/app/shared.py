"""What nodes may share: entries, the invalidation log, rate limits. In memory, or through Redis where it is named."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from proxy.limits.rate_memory import MemoryRates
from proxy.policy.model import StoreSettings
from proxy.ports import Clock, EntryStore, InvalidationLog, RateStore
from proxy.stores.memory import MemoryStore
from proxy.stores.memory_log import MemoryLog
from proxy.tasks import Tasks


@dataclass(frozen=True, slots=True)
class Shared:
    """The stores of one node."""

    store: EntryStore
    log: InvalidationLog
    rates: RateStore


@asynccontextmanager
async def open_shared(settings: StoreSettings, clock: Clock, tasks: Tasks) -> AsyncIterator[Shared]:
    """Open the stores that `settings` name and close them at the end."""
    del tasks
    log = MemoryLog(clock)
    await log.start()
    try:
        store = MemoryStore(max_bytes=settings.memory_bytes, max_variants=settings.max_variants)
        yield Shared(store, log, MemoryRates(clock))
    finally:
        await log.aclose()
