"""What nodes may share: entries, the invalidation log, rate limits. In memory, or through Redis where it is named."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from veneer.limits.rate_memory import MemoryRates
from veneer.limits.rate_redis import RedisRates
from veneer.loop.tasks import Tasks
from veneer.policy.node_settings import StoreSettings as PolicyStores
from veneer.ports import Clock
from veneer.redis.connect import ConnectSettings
from veneer.stores.assemble import Stores, StoresConfig, memory_stores, redis_stores
from veneer.stores.log_link import LinkSettings
from veneer.stores.log_settings import LogSettings
from veneer.stores.redis_access import RedisStoreSettings
from veneer.stores.redis_log import RedisLog


@dataclass(frozen=True, slots=True)
class StoreSet:
    """The stores of one node."""

    stores: Stores
    rates: MemoryRates | RedisRates


@asynccontextmanager
async def open_shared(policy: PolicyStores, clock: Clock, tasks: Tasks) -> AsyncIterator[StoreSet]:
    """Open the stores that the policy names and close them at the end. Raises RedisUrlError."""
    settings = store_settings(policy)
    if policy.redis_url is None:
        stores = memory_stores(clock, settings)
    else:
        stores = redis_stores(policy.redis_url, clock, tasks, settings)
    await stores.start()
    rates = _rates(stores, clock, tasks)
    try:
        yield StoreSet(stores, rates)
    finally:
        if isinstance(rates, RedisRates):
            await rates.aclose()
        await stores.aclose()


def _rates(stores: Stores, clock: Clock, tasks: Tasks) -> MemoryRates | RedisRates:
    log = stores.log
    if stores.brief is None or not isinstance(log, RedisLog):
        return MemoryRates(clock)
    return RedisRates(stores.brief, clock, lambda: log.nodes, tasks, states=stores.states)


def store_settings(policy: PolicyStores) -> StoresConfig:
    """The policy's words for the stores' own bounds."""
    return StoresConfig(
        memory_bytes=policy.memory_bytes,
        memory_variants=policy.max_variants,
        connect=ConnectSettings(max_connections=policy.redis_max_connections),
        link=LinkSettings(lease_s=policy.lease_valid_s),
        log=LogSettings(renew_s=policy.lease_renew_s),
        shared=RedisStoreSettings(
            max_variants=policy.max_variants,
            timeout_s=policy.redis_timeout_s,
            max_entry_bytes=policy.redis_entry_bytes,
            compress_over_bytes=policy.redis_compress_over_bytes,
        ),
    )
