"""Two nodes with a shared limit whose Redis is slow, cut off, swallowed, killed, full, read-only, or fails over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from checks.relay import Relay, relay
from checks.storm.figures import Bar, at_most
from checks.storm.load import Ask, Samples, again
from checks.storm.servers import Setting, Veneer
from checks.storm.stage import Stage
from devstack.redis import RedisServer
from devstack.redis_sets import SentinelSet

SHARED_LIMIT = "rate_limits: {all: {key: client_ip, rate: 1000000/60s}}\ndefaults: {rate_limit: all}\n"
STORED = "control=max-age%3D3600"
HITS = Ask("kept", again(1, 20), STORED)
READS, WRITES = Ask("changing", again(101, 20), STORED), Ask("changing", again(101, 20), STORED, "PUT")
SLOW_S = 0.5
ROUNDS_ALONE, ROUNDS_SHARED = 1, 2
"""Round trips of a strict write where no other node lives, and where others do: guarantees.md, "What it costs"."""
OVER_S = 3.0
"""How long after a fault writes may still fail: a lease, and the next try to reach Redis."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What the nodes share, and what is between."""

    server: RedisServer
    between: Relay


Fault = Callable[[Shared], AbstractAsyncContextManager[None]]
_Struck = Callable[[], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Writes:
    """Whether the fault lets writes succeed, and how many round trips they take longer, where that is known."""

    succeed: bool = False
    rounds: float | None = None


@asynccontextmanager
async def slow(shared: Shared) -> AsyncIterator[None]:
    """Each round trip takes SLOW_S."""
    shared.between.delay_s = SLOW_S / 2
    try:
        yield
    finally:
        shared.between.mend()


@asynccontextmanager
async def held(shared: Shared) -> AsyncIterator[None]:
    """Nothing arrives any more, and nothing is refused; in the end it arrives."""
    shared.between.hold()
    try:
        yield
    finally:
        shared.between.mend()


@asynccontextmanager
async def swallowed(shared: Shared) -> AsyncIterator[None]:
    """Nothing arrives any more, and nothing is refused; what was said is lost."""
    shared.between.swallow()
    try:
        yield
    finally:
        shared.between.mend()


@asynccontextmanager
async def forgotten(shared: Shared) -> AsyncIterator[None]:
    """The connections are half-open; new ones are as ever."""
    shared.between.forget()
    yield


@asynccontextmanager
async def cut(shared: Shared) -> AsyncIterator[None]:
    """Connections are reset and refused."""
    shared.between.cut()
    try:
        yield
    finally:
        shared.between.mend()


@asynccontextmanager
async def killed(shared: Shared) -> AsyncIterator[None]:
    """Killed; it is back, and empty, at the end."""
    await asyncio.to_thread(shared.server.kill)
    try:
        yield
    finally:
        await asyncio.to_thread(shared.server.start)


@asynccontextmanager
async def full(shared: Shared) -> AsyncIterator[None]:
    """It takes no more writes, for want of memory."""
    with shared.server.client() as client:
        client.config_set("maxmemory", "1")
        try:
            yield
        finally:
            client.config_set("maxmemory", "0")


@asynccontextmanager
async def read_only(shared: Shared) -> AsyncIterator[None]:
    """It has become a replica, as after a failover."""
    with shared.server.client() as client:
        client.replicaof("127.0.0.1", "1")
        try:
            yield
        finally:
            client.replicaof("NO", "ONE")


@asynccontextmanager
async def _fails_over(watched: SentinelSet) -> AsyncIterator[None]:
    """The master is killed, and its replica takes its place."""
    await asyncio.to_thread(watched.master.kill)
    yield


async def meanwhile(stage: Stage, fault: Fault, *, writes: Writes | None = None, nodes: int = 2) -> None:
    """Hits are as in calm, reads are answered; where the fault lets them, writes succeed as well."""
    async with stage.redis("--maxmemory-policy", "noeviction") as server, relay(server.port) as between:
        await _meanwhile(stage, (between.url,) * nodes, partial(fault, Shared(server, between)), writes or Writes())


async def failing_over(stage: Stage) -> None:
    """The same, with Sentinels that put the replica into the master's place."""
    async with stage.watched_redis() as watched:
        await _meanwhile(stage, (watched.url,) * 2, partial(_fails_over, watched), Writes())


async def _meanwhile(stage: Stage, urls: Sequence[str], struck: _Struck, expected: Writes) -> None:
    async with stage.backends() as backends:
        veneer = stage.veneer(backends, Setting(top=SHARED_LIMIT, redis_urls=urls))
        async with stage.before(backends, veneer) as crowd:
            for ask, first in ((HITS, 1), (READS, 101)):
                await crowd.once(ask, [number for number in range(first, first + 20) for _ in veneer.ports])
            await asyncio.sleep(OVER_S)  # writes wait until all leases from before the log began have run out
            calm, calm_writes = await asyncio.gather(crowd.come(HITS, 100, 3), crowd.come(WRITES, 5, 3))
            async with struck():
                hits, reads, writes = await asyncio.gather(
                    crowd.come(HITS, 100, stage.seconds),
                    crowd.come(READS, 50, stage.seconds),
                    crowd.come(WRITES, 5, stage.seconds),
                )
            await asyncio.sleep(OVER_S)
            after, writes_after = await asyncio.gather(crowd.come(HITS, 100, 2), crowd.come(WRITES, 5, 2))
    none: Bar = at_most(0)
    stage.note(veneer, "hits not served", hits.not_served(), none)
    stage.note(veneer, "hits p99, ms", hits.ms(0.99), at_most(5))
    stage.note(veneer, "hits p99 : calm p99", hits.ms(0.99) / calm.ms(0.99))
    stage.note(veneer, "hits that are hits, %", hits.hits_percent())
    stage.note(veneer, "reads of what changes not served", reads.not_served(), none)
    stage.note(veneer, "reads of what changes p99, ms", reads.ms(0.99))
    _note_writes(stage, veneer, expected, (calm_writes, writes))
    stage.note(veneer, "after it: not served", after.not_served() + writes_after.not_served(), none)


def _note_writes(stage: Stage, veneer: Veneer, expected: Writes, writes: tuple[Samples, Samples]) -> None:
    calm, struck = writes
    bar = at_most(0) if expected.succeed else None
    stage.note(veneer, "writes not served, %", 100 * struck.share_not_served(), bar)
    # A tenth more, for what the machine does meanwhile.
    limit = None if expected.rounds is None else at_most(1.1 * expected.rounds * SLOW_S * 1000)
    stage.note(veneer, "writes p50 - calm p50, ms", struck.ms(0.5) - calm.ms(0.5), limit)
