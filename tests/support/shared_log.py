"""Nodes on one Redis, each with its log, for tests of what they do together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from veneer.loop.clock import SystemClock
from veneer.loop.tasks import Tasks
from veneer.ports import LeaseState
from veneer.redis.connect import ConnectSettings, connect, disconnect, parse_redis_url
from veneer.redis.dial import Dialer
from veneer.redis.keys import LogKeys
from veneer.stores.log_link import LinkSettings, LogLink
from veneer.stores.log_settings import LogSettings
from veneer.stores.redis_log import RedisLog
from veneer.stores.skew import ClockSkew

LEASE_S = 0.6
LINK = LinkSettings(lease_s=LEASE_S, timeout_s=0.3, block_s=0.2)
LOG = LogSettings(renew_s=0.1, retry_s=0.02, hold_s=2.0)


@dataclass(eq=False, slots=True)
class Node:
    """One node: its log, and the keys it was told to forget."""

    name: str
    log: RedisLog
    link: LogLink
    tasks: Tasks
    replaced: list[str]

    async def freeze(self) -> None:
        """As SIGSTOP does: nothing is read, renewed or acknowledged any more, and nothing is said."""
        self.log._closed = True
        await self.tasks.aclose()

    async def leads(self) -> None:
        """Wait until it has a lease."""
        await until(lambda: self.log.lease_state() is LeaseState.HELD)

    async def lost(self) -> None:
        """Wait until its lease has run out."""
        await until(lambda: self.log.lease_state() is LeaseState.EXPIRED)


@asynccontextmanager
async def node(name: str, url: str, link: LinkSettings = LINK, log: LogSettings = LOG) -> AsyncIterator[Node]:
    """A node that has started."""
    address = parse_redis_url(url)
    settings = ConnectSettings(timeout_s=link.timeout_s)
    client = connect(address, settings)
    tasks = Tasks()
    replaced: list[str] = []
    its_link = LogLink(Dialer(address, client, LogKeys().state), name, link, tasks, ClockSkew(SystemClock().now))
    its_log = RedisLog(its_link, SystemClock(), tasks, log)
    its_log.listen(on_replaced=replaced.append, on_reset=lambda: None)
    await its_log.start()
    try:
        yield Node(name, its_log, its_link, tasks, replaced)
    finally:
        await its_log.aclose()
        await tasks.aclose()
        await disconnect(client)


async def until(condition: Callable[[], bool], within_s: float = 10.0) -> None:
    """Wait until the condition holds; fails loudly when it does not come true."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - nothing tells of a lease that has run out
            await asyncio.sleep(0.005)
