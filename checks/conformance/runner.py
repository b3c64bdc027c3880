"""Runs tests through a proxy that is listening, many at a time or one by one."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Sequence

from checks.conformance.engine import Engine
from checks.conformance.judge import Result
from checks.conformance.origin import Origin
from checks.conformance.suite import CacheTest
from checks.conformance.target import Address
from checks.conformance.wire import Trace


def now_ms() -> int:
    """The origin's clock."""
    return time.time_ns() // 1_000_000


async def run_tests(
    tests: Sequence[CacheTest],
    listener: socket.socket,
    proxy: Address,
    *,
    parallel: int,
    on_done: Callable[[CacheTest], None],
) -> dict[str, Result]:
    """Run `tests` with an origin on `listener`, `parallel` of them at a time."""
    trace = Trace()
    origin = Origin(now_ms, trace)
    await origin.start(listener)
    engine = Engine(proxy.host, proxy.port, trace)
    places = asyncio.Semaphore(parallel)
    results: dict[str, Result] = {}

    async def run_one(test: CacheTest) -> None:
        async with places:
            results[test.id] = await engine.run(test)
            on_done(test)

    try:
        await asyncio.gather(*(run_one(test) for test in tests))
    finally:
        await origin.aclose()
    return {test.id: results[test.id] for test in tests}


async def run_traced(
    tests: Sequence[CacheTest],
    listener: socket.socket,
    proxy: Address,
    *,
    show: Callable[[CacheTest, Result, str], None],
) -> dict[str, Result]:
    """Run `tests` one by one and hand over what went over the wire in each."""
    trace = Trace(enabled=True)
    origin = Origin(now_ms, trace)
    await origin.start(listener)
    engine = Engine(proxy.host, proxy.port, trace)
    results: dict[str, Result] = {}
    try:
        for test in tests:
            results[test.id] = await engine.run(test)
            show(test, results[test.id], trace.text())
    finally:
        await origin.aclose()
    return results
