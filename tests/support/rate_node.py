"""A node of its own process whose clients want more than a limit allows; it prints when each request was admitted.

python -m tests.support.rate_node REDIS_URL QUOTA WINDOW_S BURST NODES SECONDS. It says "ready", and waits for a line.
"""

from __future__ import annotations

import asyncio
import json
import sys

from tests.support.calling import calling
from veneer.core.rate import RateLimit, client_key
from veneer.limits.rate_redis import RedisRates, RedisRateSettings
from veneer.loop.clock import SystemClock
from veneer.loop.tasks import Tasks
from veneer.redis.keys import rate_key

CLIENT = "everybody"
CONNECTIONS = 8


async def demand(rates: RedisRates, limit: RateLimit, until: float, admitted: list[float]) -> None:
    """One connection that sends its next request at once, or as soon as it was told to."""
    clock, key = SystemClock(), client_key(limit, CLIENT)
    while clock.now() < until:
        answer = rates.admit_now(key, limit, clock.monotonic()) or await rates.admit(CLIENT, limit)
        if answer.allowed:
            admitted.append(clock.now())
        await asyncio.sleep(answer.retry_after_s)


async def main(url: str, quota: int, window_s: float, burst: int, nodes: int, seconds: float) -> None:
    """Run one node against the Redis at `url`, which is on this machine: its clock is ours."""
    limit, admitted, tasks, clock = RateLimit("shared", quota, window_s, burst), list[float](), Tasks(), SystemClock()
    async with calling(url) as caller:
        rates = RedisRates(caller, clock, lambda: nodes, tasks, RedisRateSettings(timeout_s=5))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        until = clock.now() + seconds
        await asyncio.gather(*(demand(rates, limit, until, admitted) for _ in range(CONNECTIONS)))
        await rates.aclose()
        value = await caller.ask(5, "GET", rate_key(client_key(limit, CLIENT)))
        read_at = clock.now()
        await tasks.aclose()
    said = {
        "admitted": admitted,
        "batched": rates.counts.batched,
        "errors": rates.counts.errors,
        "read_at": read_at,
        "backlog_us": int(value.split()[0]) - round(read_at * 1e6) if isinstance(value, bytes) else 0,
    }
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    redis_url, *numbers = sys.argv[1:]
    asyncio.run(
        main(redis_url, int(numbers[0]), float(numbers[1]), int(numbers[2]), int(numbers[3]), float(numbers[4]))
    )
