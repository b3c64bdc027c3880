"""A look into the shared store: some of its keys, bounded in calls, bytes and time, to estimate what is in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis import asyncio as aioredis
from redis.asyncio.cluster import ClusterNode

from veneer.core.entry import Entry
from veneer.redis.connect import RedisClient
from veneer.redis.keys import LogKeys, entries_of, entry_key
from veneer.redis.script import FAILURES, Script, ViaRedisPy
from veneer.stores.held_lock import digest_of
from veneer.stores.pack import from_bytes

_SAMPLE = Script.load("sample")
_NODES = Script.load("nodes")


@dataclass(frozen=True, slots=True)
class SampleSettings:
    """Bounds for each server: SCAN calls of `at_once` keys, keys read, bytes of one key; `within_s` is for all.

    `looked_at_bytes` are those of a key that is looked at by itself.
    """

    scans: int = 10
    at_once: int = 1_000
    keys_read: int = 200
    key_bytes: int = 256 * 1024
    looked_at_bytes: int = 4 * 1024 * 1024
    within_s: float = 2.0


@dataclass(frozen=True, slots=True)
class SampledKey:
    """A key that was read: how many responses lie under it, their bytes in Redis, and one of them."""

    responses: int
    size_bytes: int
    one: Entry


@dataclass(slots=True)
class Sample:
    """What was seen of one server: keys in its database, names that were looked at, those of responses, keys read."""

    keys: int = 0
    seen: int = 0
    found: int = 0
    read: list[SampledKey] = field(default_factory=list)

    @property
    def weight(self) -> float:
        """How many keys of responses each that was read stands for."""
        if not self.read or not self.seen:
            return 0.0
        return self.found / len(self.read) * max(1.0, self.keys / self.seen)

    @property
    def complete(self) -> bool:
        """Whether every key was read."""
        return self.seen >= self.keys and len(self.read) == self.found


class StoreSampler:
    """Samples the responses that are stored in the log's `epoch`; older ones are dead.

    SCAN goes through keys in the order of their hashes, which nobody chooses, so that its beginning is a fair sample.
    """

    def __init__(self, redis: RedisClient, epoch: Callable[[], str], settings: SampleSettings | None = None) -> None:
        self._redis = redis
        self._epoch = epoch
        self._settings = settings or SampleSettings()

    async def sample(self) -> Sequence[Sample] | None:
        """What could be seen in time, a sample for each server; None when Redis cannot be asked."""
        samples: list[Sample] = []
        try:
            async with asyncio.timeout(self._settings.within_s):
                for server in await self._servers():
                    samples.append(Sample())
                    await self._look(server, samples[-1])
        except TimeoutError:
            pass
        except FAILURES:
            return None
        return samples

    async def under(self, key: str) -> Sequence[Entry] | None:
        """The responses stored under a cache key, those that are not large; None when Redis cannot be asked."""
        chosen = self._settings
        names, bounds = (entry_key(self._epoch(), digest_of(key)),), (chosen.looked_at_bytes,)
        try:
            reply = await _SAMPLE.run(ViaRedisPy(self._redis), names, bounds, chosen.within_s)
        except FAILURES:
            return None
        shown = reply[2] if isinstance(reply, list) else None
        values = [value for value in shown if isinstance(value, bytes)] if isinstance(shown, list) else []
        return [entry for value in values if (entry := await from_bytes(value)) is not None]

    async def nodes(self) -> Sequence[tuple[str, float]] | None:
        """The nodes with a lease on the log, each with the seconds left of it; None when Redis cannot be asked."""
        try:
            reply = await _NODES.run(ViaRedisPy(self._redis), (LogKeys().state,), (), self._settings.within_s)
        except FAILURES:
            return None
        flat = reply if isinstance(reply, list) else []
        pairs = zip(flat[::2], flat[1::2], strict=True)
        return sorted(
            (name.decode(), int(left) / 1000)
            for name, left in pairs
            if isinstance(name, bytes) and isinstance(left, bytes)
        )

    async def _servers(self) -> Sequence[ClusterNode | None]:
        if isinstance(self._redis, aioredis.RedisCluster):
            await self._redis.initialize()
            return self._redis.get_primaries()
        return (None,)

    async def _look(self, server: ClusterNode | None, sample: Sample) -> None:
        chosen = self._settings
        sample.keys = await self._ask(server, "DBSIZE")
        names: set[bytes] = set()
        cursor = 0
        for _ in range(chosen.scans):
            cursor, batch = await self._ask(server, "SCAN", cursor, "COUNT", chosen.at_once)
            names.update(batch)
            if cursor == 0:
                sample.keys = len(names)
                break
        beginning = entries_of(self._epoch()).encode()
        found = sorted(name for name in names if name.startswith(beginning))
        sample.seen, sample.found = len(names), len(found)
        for name in found[:: -(-len(found) // chosen.keys_read) or 1]:
            await self._read(name.decode("ascii"), sample)

    async def _ask(self, server: ClusterNode | None, *command: str | int) -> Any:
        if server is not None:
            return await server.execute_command(*command)
        assert isinstance(self._redis, aioredis.Redis)
        return await self._redis.execute_command(*command)  # type: ignore[no-untyped-call]

    async def _read(self, name: str, sample: Sample) -> None:
        chosen = self._settings
        reply = await _SAMPLE.run(ViaRedisPy(self._redis), (name,), (chosen.key_bytes,), chosen.within_s)
        if not isinstance(reply, list):
            return
        responses, raw, shown = reply
        assert isinstance(responses, int)
        assert isinstance(raw, int)
        for value in shown if isinstance(shown, list) else ():
            entry = await from_bytes(value) if isinstance(value, bytes) else None
            if entry is not None:
                sample.read.append(SampledKey(responses, raw, entry))
                return
