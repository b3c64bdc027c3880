"""What a purge costs, whatever it reaches and however many there have been.

    python -m benchmarks.purge [--entries 100000] [--distinct 10000000]

Two proxies and a Redis, as real processes. The entries are put into Redis as a third node would, and every tenth is
then read through the first proxy, so that its memory holds it. A tag on few entries and a tag on many are purged in
turns (each time another tag, for a purge leaves its entries dead): the ratio says whether a purge looks at entries.
Then distinct tags are purged, a thousand in a request, while the memory of both proxies and of Redis is watched.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import uvloop
from aiohttp import web
from tqdm import tqdm

from checks.coherence.http import HOST, Connection
from devstack.process import free_ports
from devstack.proxy import ProxyOptions, ProxyServer
from devstack.redis import RedisServer
from veneer.core.entry import Entry
from veneer.core.fields import Fields
from veneer.core.key import cache_key, uri
from veneer.core.messages import RequestHead
from veneer.core.rules import CacheRules
from veneer.loop.clock import SystemClock
from veneer.loop.tasks import Tasks
from veneer.stores.assemble import Stores, StoresConfig, redis_stores
from veneer.stores.redis_access import RedisStoreSettings

FEW = 1_000
ROUNDS = 20
AT_ONCE = 32
NAMES = 1_000
BODY = b"x" * 200
POLICIES = "version: 1\nstores:\n  memory: 1GB\n"
TABLE_BOUND_MB, LOG_BOUND_MB = 32, 64
"""`stores.table.DEFAULT_MAX_BYTES` and `stores.log_link.LinkSettings.bytes_kept`."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The processes; the first proxy is asked, the second follows."""

    redis: RedisServer
    proxies: tuple[ProxyServer, ProxyServer]

    def memory(self) -> str:
        """Resident megabytes of the proxies, and what Redis uses."""
        resident = [psutil.Process(proxy.process.pid).memory_info().rss / 1e6 for proxy in self.proxies]
        with self.redis.client() as client:
            used = int(client.info("memory")["used_memory"]) / 1e6
        return f"proxies {resident[0]:.0f} and {resident[1]:.0f} MB resident, Redis {used:.0f} MB used"


async def _none(_request: web.Request) -> web.Response:
    raise web.HTTPNotFound


@contextmanager
def _stage(directory: Path, upstream_port: int) -> Iterator[Stage]:
    policies = directory / "policies.yaml"
    policies.write_text(POLICIES, "ascii")
    redis = RedisServer(directory / "redis")
    upstream = f"http://127.0.0.1:{upstream_port}"
    options = ProxyOptions(upstream=upstream, policies=policies, redis_url=redis.url)
    proxies = (ProxyServer(options, directory, name="asked"), ProxyServer(options, directory, name="follower"))
    try:
        redis.start()
        for proxy in proxies:
            proxy.start()
        yield Stage(redis, proxies)
    finally:
        for proxy in proxies:
            proxy.stop()
        redis.stop()


async def _fill(stores: Stores, kind: str, count: int) -> None:
    """Put entries into the shared store, each with the tags of its kind."""
    shared = stores.shared
    assert shared is not None
    tags = tuple(f"{kind}:{number}" for number in range(ROUNDS))
    fields = Fields([("Cache-Control", "max-age=86400"), ("Cache-Tag", ", ".join(tags))])
    numbers = iter(tqdm(range(count), desc=f"fill {kind}", file=sys.stderr))
    now_s = time.time()  # noqa: TID251 - the entries' date

    async def put() -> None:
        for number in numbers:
            request = RequestHead("GET", f"/{kind}/{number}", None, HOST, Fields())
            entry = Entry(
                *(200, "OK", fields, BODY, now_s, now_s),
                uri=uri(request, CacheRules().key),
                born=stores.log.position,
                tags=tags,
            )
            await shared.put(cache_key(request, CacheRules()), entry, 86_400)

    await asyncio.gather(*(put() for _ in range(AT_ONCE)))
    assert (shared.counts.failures, shared.counts.skipped) == (0, 0)


async def _read(port: int, kind: str, count: int) -> None:
    """Read every tenth through a proxy, which has to find it."""
    numbers = iter(tqdm(range(0, count, 10), desc=f"read {kind}", file=sys.stderr))

    async def client() -> None:
        connection = Connection(port)
        for number in numbers:
            reply = await connection.ask("GET", f"/{kind}/{number}")
            assert reply.status == 200, reply
        connection.close()

    await asyncio.gather(*(client() for _ in range(AT_ONCE)))


async def _purge(admin: Connection, tags: list[str]) -> tuple[float, float]:
    """Purge; the milliseconds of the client and of the receipt."""
    began = time.perf_counter()
    reply = await admin.ask("POST", "/purge", json.dumps({"tags": tags}).encode())
    assert reply.status == 200, reply
    return (time.perf_counter() - began) * 1000, float(json.loads(reply.body)["duration_ms"])


async def _compare(admin: Connection, many: int) -> None:
    taken: dict[str, list[tuple[float, float]]] = {"few": [], "many": []}
    for number in range(ROUNDS):
        for kind in ("few", "many") if number % 2 else ("many", "few"):
            taken[kind].append(await _purge(admin, [f"{kind}:{number}"]))
    for kind, count in (("few", FEW), ("many", many)):
        ms = [statistics.median(column) for column in zip(*taken[kind], strict=True)]
        print(f"a tag on {count:>7} entries: {ms[0]:.2f} ms at the client, {ms[1]:.2f} ms by the receipt (medians)")
    ratios = sorted(more[0] / less[0] for less, more in zip(taken["few"], taken["many"], strict=True))
    quarter = len(ratios) // 4
    spread = f"half of the pairs between {ratios[quarter]:.2f} and {ratios[-quarter - 1]:.2f}"
    whole = statistics.median(m[0] for m in taken["many"]) / statistics.median(m[0] for m in taken["few"])
    print(f"ratio of the medians {whole:.2f} (bar 1.5), {spread}")


async def _distinct(admin: Connection, stage: Stage, count: int) -> None:
    print(f"before: {stage.memory()}")
    for tenth in range(10):
        began = tenth * count // 10
        progress = tqdm(range(began, (tenth + 1) * count // 10, NAMES), desc="purge", file=sys.stderr, leave=False)
        for first in progress:
            await _purge(admin, [f"tag:{number}" for number in range(first, first + NAMES)])
        print(f"{(tenth + 1) * count // 10:>9} tags purged: {stage.memory()}")
    print(f"bounds: each proxy's table {TABLE_BOUND_MB} MB, Redis' log {LOG_BOUND_MB} MB, beside what they had before")


async def _origin() -> tuple[web.AppRunner, int]:
    """A backend that has nothing: what is found comes from the cache."""
    app = web.Application()
    app.router.add_get("/{rest:.*}", _none)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    (port,) = free_ports(1)
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner, port


async def _measure(stage: Stage, entries: int, distinct: int) -> None:
    tasks = Tasks()
    settings = StoresConfig(shared=RedisStoreSettings(timeout_s=10))
    stores = redis_stores(stage.redis.url, SystemClock(), tasks, settings)
    await stores.start()
    for kind, count in (("few", FEW), ("many", entries)):
        await _fill(stores, kind, count)
    await stores.aclose()
    await tasks.aclose()
    asked = stage.proxies[0]
    for kind, count in (("few", FEW), ("many", entries)):
        await _read(asked.port, kind, count)
    admin = Connection(asked.admin_port, "localhost")
    await _compare(admin, entries)
    await _distinct(admin, stage, distinct)
    admin.close()


async def _run(entries: int, distinct: int, directory: Path) -> None:
    origin, port = await _origin()
    # Starting and stopping blocks, and the origin has to answer meanwhile.
    stage_of = _stage(directory, port)
    stage = await asyncio.to_thread(stage_of.__enter__)
    try:
        await _measure(stage, entries, distinct)
    finally:
        await asyncio.to_thread(stage_of.__exit__, None, None, None)
        await origin.cleanup()


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.purge", description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000, help="that carry the tag on many (default 100000)")
    parser.add_argument("--distinct", type=int, default=10_000_000, help="tags purged in the end (default 10000000)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="veneer-purge-") as directory:
        uvloop.run(_run(options.entries, options.distinct, Path(directory)))


if __name__ == "__main__":
    main()
