"""A node's way to single keys, for tests of what goes over it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from veneer.loop.tasks import Tasks
from veneer.redis.connect import connect, disconnect, parse_redis_url
from veneer.redis.dial import Dialer
from veneer.redis.line import caller_for
from veneer.redis.script import RedisCaller


@asynccontextmanager
async def calling(url: str) -> AsyncIterator[RedisCaller]:
    """The way to the Redis at `url`, closed at the end."""
    address, tasks = parse_redis_url(url), Tasks()
    client = connect(address)
    caller = caller_for(client, Dialer(address, client, "key"), tasks)
    try:
        yield caller
    finally:
        caller.close()
        await tasks.aclose()
        await disconnect(client)
