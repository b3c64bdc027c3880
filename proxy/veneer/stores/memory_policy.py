"""What Redis does when its memory is full, and whether that is good for what is kept there (docs/operations.md)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from redis import asyncio as aioredis

from veneer.redis.connect import RedisClient
from veneer.redis.script import FAILURES

logger = logging.getLogger(__name__)

RIGHT = ("volatile-lru", "volatile-lfu", "volatile-ttl", "volatile-random")
"""Policies that evict what expires, so never the log: it and its state are all that does not."""

_TIMEOUT_S = 5.0
_AGAIN_S = 5.0


def advice(maxmemory: int, policy: str) -> str | None:
    """What is wrong with a server's settings, and what would be right; None where they are right.

    `maxmemory` is in bytes, 0 for no bound: what happens then is for the system to say.
    """
    if not maxmemory or policy in RIGHT:
        return None
    what = (
        "when it is full nothing new is stored"
        if policy == "noeviction"
        else "it may evict the invalidation log, and then all that is stored is dead"
    )
    return f"maxmemory-policy {policy}: {what}; set one of {', '.join(RIGHT)}"


async def check_memory_policy(client: RedisClient, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
    """Warn about each server whose memory policy is not right, as soon as Redis can be asked."""
    while (servers := await _asked(client)) is None:
        await sleep(_AGAIN_S)
    for name, info in servers.items():
        found = advice(int(str(info.get("maxmemory", 0))), str(info.get("maxmemory_policy", "")))
        if found is not None:
            logger.warning("Redis%s: %s", f" {name}" if name else "", found)


async def _asked(client: RedisClient) -> Mapping[str, Mapping[str, object]] | None:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            return await _servers(client)
    except FAILURES as error:
        logger.debug("the memory policy of Redis is not known: %r", error)
        return None


async def _servers(client: RedisClient) -> Mapping[str, Mapping[str, object]]:
    """What INFO says of memory, by server; without a Cluster the one has no name."""
    if isinstance(client, aioredis.RedisCluster):
        found: Mapping[str, Mapping[str, object]] = await client.info(
            "memory", target_nodes=aioredis.RedisCluster.PRIMARIES
        )
        return found
    return {"": await client.info("memory")}
