"""Two nodes with a shared limit whose Redis is slow, cut off, killed, full or read-only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from checks.relay import Relay, relay
from checks.storm.figures import Bar, at_most
from checks.storm.load import Ask, again
from checks.storm.servers import Setting
from checks.storm.stage import Stage
from devstack.redis import RedisServer

SHARED_LIMIT = "rate_limits: {all: {key: client_ip, rate: 1000000/60s}}\ndefaults: {rate_limit: all}\n"
STORED = "control=max-age%3D3600"
HITS = Ask("kept", again(1, 20), STORED)
READS, WRITES = Ask("changing", again(101, 20), STORED), Ask("changing", again(101, 20), STORED, "PUT")
SLOW_S = 0.5


@dataclass(frozen=True, slots=True)
class Shared:
    """What the nodes share, and what is between."""

    server: RedisServer
    between: Relay


Fault = Callable[[Shared], AbstractAsyncContextManager[None]]


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
    """Nothing arrives any more, and nothing is refused."""
    shared.between.hold()
    try:
        yield
    finally:
        shared.between.mend()


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


async def meanwhile(stage: Stage, fault: Fault, *, writes_succeed: bool = False) -> None:
    """Hits are as in calm, reads are answered; where the fault lets them, writes succeed as well."""
    server = RedisServer(stage.place(), extra_args=("--maxmemory-policy", "noeviction"))
    await asyncio.to_thread(server.start)
    try:
        async with relay(server.port) as between, stage.backends() as backends:
            setting = Setting(top=SHARED_LIMIT, redis_urls=(between.url, between.url))
            veneer = stage.veneer(backends, setting)
            async with stage.before(backends, veneer) as crowd:
                for ask, first in ((HITS, 1), (READS, 101)):
                    await crowd.once(ask, [number for number in range(first, first + 20) for _ in veneer.ports])
                calm, calm_writes = await asyncio.gather(crowd.come(HITS, 100, 3), crowd.come(WRITES, 5, 3))
                async with fault(Shared(server, between)):
                    hits, reads, writes = await asyncio.gather(
                        crowd.come(HITS, 100, stage.seconds),
                        crowd.come(READS, 50, stage.seconds),
                        crowd.come(WRITES, 5, stage.seconds),
                    )
    finally:
        await asyncio.to_thread(server.stop)
    none: Bar = at_most(0)
    stage.note(veneer, "hits not served", hits.not_served(), none)
    stage.note(veneer, "hits p99, ms", hits.ms(0.99), at_most(5))
    stage.note(veneer, "hits p99 : calm p99", hits.ms(0.99) / calm.ms(0.99))
    stage.note(veneer, "hits that are hits, %", hits.hits_percent())
    stage.note(veneer, "reads of what changes not served", reads.not_served(), none)
    stage.note(veneer, "reads of what changes p99, ms", reads.ms(0.99))
    stage.note(veneer, "writes not served, %", 100 * writes.share_not_served(), none if writes_succeed else None)
    stage.note(veneer, "writes p50 - calm p50, ms", writes.ms(0.5) - calm_writes.ms(0.5))
