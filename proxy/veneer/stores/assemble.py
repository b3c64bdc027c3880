"""The stores of one process as one part: alone in memory, or shared through Redis."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from veneer.loop.tasks import Tasks
from veneer.ports import Clock
from veneer.redis.connect import ConnectSettings, RedisClient, connect, disconnect, parse_redis_url
from veneer.redis.dial import Dialer
from veneer.redis.keys import LogKeys
from veneer.redis.line import caller_for
from veneer.redis.script import RedisCaller
from veneer.redis.states import RedisStates
from veneer.stores.fetch_locks import LocalLocks, RedisLocks
from veneer.stores.held_lock import LockSettings
from veneer.stores.log_link import LinkSettings, LogLink
from veneer.stores.log_settings import LogSettings
from veneer.stores.memory import DEFAULT_MAX_BYTES, DEFAULT_MAX_VARIANTS, MemoryStore
from veneer.stores.memory_log import MemoryLog
from veneer.stores.redis_access import RedisStoreSettings
from veneer.stores.redis_log import RedisLog
from veneer.stores.redis_store import RedisStore
from veneer.stores.sampler import Sample, StoreSampler
from veneer.stores.skew import ClockSkew
from veneer.stores.tiered import TieredStore


@dataclass(frozen=True, slots=True)
class StoresConfig:
    """Everything about the stores that can be chosen. `node` names this process in receipts; "" makes a name up."""

    node: str = ""
    memory_bytes: int = DEFAULT_MAX_BYTES
    memory_variants: int = DEFAULT_MAX_VARIANTS
    connect: ConnectSettings = field(default_factory=ConnectSettings)
    link: LinkSettings = field(default_factory=LinkSettings)
    log: LogSettings = field(default_factory=LogSettings)
    shared: RedisStoreSettings = field(default_factory=RedisStoreSettings)
    locks: LockSettings = field(default_factory=LockSettings)


@dataclass(frozen=True, slots=True)
class Stores:
    """A log and a store that belong together. Without Redis `redis`, the library's client, and the callers are None.

    `caller` carries entries; `brief` is for calls that must not wait behind those.

    Start it before the first request and close it after the last one has ended, before its tasks are closed.
    """

    log: MemoryLog | RedisLog
    store: MemoryStore | TieredStore
    memory: MemoryStore
    locks: LocalLocks | RedisLocks = field(default_factory=LocalLocks)
    shared: RedisStore | None = None
    redis: RedisClient | None = None
    sampler: StoreSampler | None = None
    caller: RedisCaller | None = None
    brief: RedisCaller | None = None
    states: RedisStates | None = None
    skew: ClockSkew | None = None

    async def sample(self) -> Sequence[Sample] | None:
        """Some of what the shared store holds; None without one, or when it cannot be asked."""
        return None if self.sampler is None else await self.sampler.sample()

    async def start(self) -> None:
        """Join the log where there is Redis; one that cannot be reached yet is no error."""
        await self.log.start()

    async def aclose(self) -> None:
        """Wait for what is being stored, say good-bye and close the connections."""
        if self.shared is not None:
            await self.shared.aclose()
        if isinstance(self.locks, RedisLocks):
            await self.locks.settled()
        await self.log.aclose()
        await self.store.aclose()
        for caller in (self.caller, self.brief):
            if caller is not None:
                caller.close()
        if self.redis is not None:
            await disconnect(self.redis)


def memory_stores(clock: Clock, settings: StoresConfig | None = None) -> Stores:
    """The stores of a process that is alone."""
    chosen = settings or StoresConfig()
    memory = MemoryStore(max_bytes=chosen.memory_bytes, max_variants=chosen.memory_variants)
    return Stores(MemoryLog(clock, max_table_bytes=chosen.log.max_table_bytes), memory, memory)


def redis_stores(url: str, clock: Clock, tasks: Tasks, settings: StoresConfig | None = None) -> Stores:
    """The stores of a process that shares them through the Redis at `url`. Raises RedisUrlError."""
    chosen = settings or StoresConfig()
    address = parse_redis_url(url)
    client = connect(address, chosen.connect)
    dial = Dialer(address, client, LogKeys().state, chosen.connect.timeout_s)
    node = chosen.node or f"node-{secrets.token_hex(6)}"
    memory = MemoryStore(max_bytes=chosen.memory_bytes, max_variants=chosen.memory_variants)
    states = RedisStates(clock.monotonic, chosen.shared.timeout_s)
    skew = ClockSkew(clock.now, node)
    log = RedisLog(LogLink(dial, node, chosen.link, tasks, skew), clock, tasks, chosen.log, states)
    caller, brief = caller_for(client, dial, tasks), caller_for(client, dial, tasks, 1)
    shared = RedisStore(caller, clock, lambda: log.epoch, chosen.shared, log.announce, states, skew)
    tiered = TieredStore(memory, shared, log)
    locks = RedisLocks(caller, clock, log.announce_release, tasks, chosen.locks, states)
    log.listen(on_replaced=tiered.replaced, on_reset=memory.clear, on_lock_released=locks.on_released)
    sampler = StoreSampler(client, lambda: log.epoch)
    return Stores(log, tiered, memory, locks, shared, client, sampler, caller, brief, states, skew)
