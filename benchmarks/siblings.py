"""What it costs one worker to get a 2 KB response that another has in memory: three ways, side by side.

    python -m benchmarks.siblings [--rounds 5]

*Redis* is the shared store, as it is used. *segment* is memory that workers map alike: the stored form is copied out,
checked and read. *sibling* asks the other worker over a Unix socket, which copies the stored form into its answer.
Counted is the processor time of everybody who takes part (Redis and the sibling too) for one response, and the time
until 32 that are asked for together are there. The contenders take turns; printed are medians.
"""

from __future__ import annotations

import argparse
import asyncio
import mmap
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import psutil
import uvloop

from benchmarks.peers.bodies import ETAG, STORABLE, rows
from benchmarks.peers.run import Say
from devstack.redis import RedisServer
from veneer.core.entry import Entry, Position
from veneer.core.fields import Fields
from veneer.core.messages import RequestHead
from veneer.core.rules import CacheRules
from veneer.loop.clock import SystemClock
from veneer.loop.tasks import Tasks
from veneer.stores.assemble import StoresConfig, redis_stores
from veneer.stores.pack import from_bytes, to_bytes

KEYS, AT_ONCE, LOOKUPS = 1_000, 32, 6_400
PLACE = struct.Struct("<QQ")
"""Before each stored form in the segment: a version, odd while it is written, and its length."""

BODY = rows(2_048)

Get = Callable[[int], Awaitable[Entry | None]]


@dataclass(frozen=True, slots=True)
class Way:
    """One way to get the response of a number, and the other processes that take part."""

    name: str
    get: Get
    others: tuple[psutil.Process, ...] = ()

    def seconds(self) -> float:
        """Processor time of all who take part so far."""
        mine = psutil.Process().cpu_times()
        spent = [mine, *(other.cpu_times() for other in self.others)]
        return sum(one.user + one.system for one in spent)


def entry(number: int, epoch: str) -> Entry:
    """A response as the comparison with peers has it."""
    fields = Fields((("Content-Type", "application/json"), ("Cache-Control", STORABLE), ("ETag", ETAG)))
    now = time.time()  # noqa: TID251 - this is the clock
    return Entry(200, "OK", fields, BODY, now, now, f"bench.example/small/{number}", Position(epoch, 1))


class Segment:
    """Stored forms in memory that processes map alike, each at a place of its own."""

    def __init__(self, path: Path, stored: list[bytes]) -> None:
        self._stride = PLACE.size + max(map(len, stored))
        with path.open("w+b") as file:
            file.truncate(self._stride * len(stored))
            self._map = mmap.mmap(file.fileno(), 0)
        for number, raw in enumerate(stored):
            start = number * self._stride
            PLACE.pack_into(self._map, start, 2, len(raw))
            self._map[start + PLACE.size : start + PLACE.size + len(raw)] = raw

    async def get(self, number: int) -> Entry | None:
        """The response; None where it was written while it was read."""
        start = number * self._stride
        version, length = PLACE.unpack_from(self._map, start)
        body = start + PLACE.size
        raw = self._map[body : body + length]
        if version & 1 or PLACE.unpack_from(self._map, start)[0] != version:
            return None
        return await from_bytes(raw)


class SiblingServer(asyncio.Protocol):
    """The other worker: answers numbers of four bytes with length and stored form."""

    def __init__(self, answers: list[bytes]) -> None:
        self._answers = answers

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer all that came; numbers are never split here."""
        self._transport.writelines([self._answers[number] for (number,) in struct.iter_unpack("<I", data)])


class SiblingClient(asyncio.Protocol):
    """Asks the other worker; answers come in the order of the questions."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[bytes]] = []
        self._data = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Hand out the answers that are whole."""
        self._data += data
        start = 0
        while len(self._data) >= start + 4:
            (length,) = struct.unpack_from("<I", self._data, start)
            if len(self._data) < start + 4 + length:
                break
            self._waiting.pop(0).set_result(bytes(self._data[start + 4 : start + 4 + length]))
            start += 4 + length
        del self._data[:start]

    async def get(self, number: int) -> Entry | None:
        """The response of a number."""
        told: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.append(told)
        self._transport.write(struct.pack("<I", number))
        return await from_bytes(await told)


async def serve(path: str) -> None:
    """Run the sibling."""
    stored = [await to_bytes(entry(number, "e")) for number in range(KEYS)]
    answers = [struct.pack("<I", len(raw)) + raw for raw in stored]
    await asyncio.get_running_loop().create_unix_server(lambda: SiblingServer(answers), path)
    print("ready", flush=True)
    await asyncio.Event().wait()


async def measured(way: Way) -> tuple[float, float]:
    """Microseconds of processor time for one response, and milliseconds until a round of them is there."""
    before, started_s = way.seconds(), time.perf_counter()
    for first in range(0, LOOKUPS, AT_ONCE):
        found = await asyncio.gather(*(way.get(number % KEYS) for number in range(first, first + AT_ONCE)))
        assert None not in found
    took_s, spent = time.perf_counter() - started_s, way.seconds() - before
    return spent / LOOKUPS * 1e6, took_s / (LOOKUPS / AT_ONCE) * 1000


async def compare(directory: Path, redis: RedisServer, sibling: psutil.Process, rounds: int, say: Say) -> None:
    """Measure each way and print a table."""
    tasks = Tasks()
    stores = redis_stores(redis.url, SystemClock(), tasks, StoresConfig())
    await stores.start()
    shared = stores.shared
    assert shared is not None
    epoch = stores.log.position.epoch
    for number in range(KEYS):
        await shared.put(f"k{number}", entry(number, epoch), 3_600)
    request, rules = RequestHead("GET", "/small/x", None, "bench.example", Fields(())), CacheRules()

    async def by_redis(number: int) -> Entry | None:
        found = await shared.lookup(f"k{number}", request, rules)
        return found[0] if found else None

    segment = Segment(directory / "segment", [await to_bytes(entry(number, "e")) for number in range(KEYS)])
    path = str(directory / "sibling.sock")
    _, client = await asyncio.get_running_loop().create_unix_connection(SiblingClient, path)
    ways = (
        Way("Redis", by_redis, (psutil.Process(redis.process.pid),)),
        Way("segment", segment.get),
        Way("sibling", client.get, (sibling,)),
    )
    results = [[await measured(way) for way in ways] for _ in range(rounds + 1)][1:]
    say("| way | us of processor time each | Redis : this | ms for 32 | Redis : this |\n|---|---:|---:|---:|---:|")
    for number, way in enumerate(ways):
        cost, wait = (statistics.median(row[number][which] for row in results) for which in (0, 1))
        ratios = [statistics.median(row[0][which] / row[number][which] for row in results) for which in (0, 1)]
        say(f"| {way.name} | {cost:.1f} | {ratios[0]:.1f} | {wait:.2f} | {ratios[1]:.1f} |")
    await stores.aclose()


@contextmanager
def running_sibling(path: Path) -> Iterator[psutil.Process]:
    """The other worker, until the block ends."""
    argv = [sys.executable, "-m", "benchmarks.siblings", "--serve", str(path)]
    child = subprocess.Popen(argv, stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        assert child.stdout.readline()
        yield psutil.Process(child.pid)
    finally:
        child.kill()
        child.wait()


def main() -> None:
    """Start Redis and the sibling, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        uvloop.run(serve(arguments.serve))
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name, running_sibling(Path(name) / "sibling.sock") as sibling:
        redis = RedisServer(Path(name) / "redis")
        redis.start()
        try:
            uvloop.run(compare(Path(name), redis, sibling, arguments.rounds, print))
        finally:
            redis.stop()


if __name__ == "__main__":
    main()
