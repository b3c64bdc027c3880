"""Exchanges with a backend: Veneer's pool beside aiohttp's client, on one loopback origin.

    python -m benchmarks.upstream [--rounds 5]

Counted is the processor time this process spends on one exchange, so that other work on the machine hardly matters.
The contenders take turns in every round; printed are medians, the ratio of each round's pair, and their spread.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

import aiohttp
import uvloop
from yarl import URL

from veneer.core.fields import Fields
from veneer.core.messages import RequestHead
from veneer.loop.tasks import Tasks
from veneer.upstream.pool import UpstreamPool
from veneer.upstream.settings import Endpoint, PoolSettings

FIELDS = (
    ("Accept", "application/json"),
    ("Accept-Encoding", "gzip, br"),
    ("User-Agent", "bench/1"),
    ("X-Request-Id", "0123456789abcdef"),
    ("Cookie", "session=0123456789abcdef"),
)
HEAD = (
    "HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 07:08:07 GMT\r\nServer: bench\r\nContent-Type: application/json\r\n"
    'Content-Length: {}\r\nCache-Control: no-store\r\nETag: "0123456789abcdef"\r\nVary: Accept-Encoding\r\n\r\n'
)
Exchange = Callable[[], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Case:
    """What is fetched, how often a round does it, and how many at once."""

    name: str
    size: int
    exchanges: int
    at_once: int


CASES = (Case("2 KB", 2_048, 6_000, 32), Case("1 MB streamed", 1_048_576, 300, 8))


class SystemClock:
    """The real time."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()  # noqa: TID251 - this is the clock

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()  # noqa: TID251 - this is the clock


class OriginProtocol(asyncio.Protocol):
    """Answers `GET /N` with N bytes, as cheaply as it can."""

    def __init__(self, answers: dict[bytes, bytes]) -> None:
        self._answers = answers

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer one request; clients here never split one."""
        size = data.split(b" ", 2)[1][1:]
        answer = self._answers.get(size)
        if answer is None:
            answer = self._answers[size] = HEAD.format(int(size)).encode() + b"x" * int(size)
        self._transport.write(answer)


async def serve() -> None:
    """Run the origin on a free port, which is printed."""
    answers: dict[bytes, bytes] = {}
    server = await asyncio.get_running_loop().create_server(lambda: OriginProtocol(answers), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def own(pool: UpstreamPool, raw: int) -> Exchange:
    """One exchange over Veneer's pool."""
    request = RequestHead("GET", f"/{raw}", None, "127.0.0.1", Fields(FIELDS))

    async def exchange() -> int:
        response = await pool.exchange(request, None)
        size = 0
        async for piece in response.body():
            size += len(piece)
        await response.aclose()
        return size

    return exchange


def aiohttps(session: aiohttp.ClientSession, port: int, raw: int) -> Exchange:
    """One exchange over aiohttp's client, as a proxy has to set it."""
    url = URL(f"http://127.0.0.1:{port}/{raw}", encoded=True)

    async def exchange() -> int:
        size = 0
        async with session.get(url, headers=FIELDS, allow_redirects=False) as response:
            async for piece in response.content.iter_any():
                size += len(piece)
        return size

    return exchange


async def cost_us(exchange: Exchange, case: Case) -> float:
    """Processor time of one exchange in microseconds."""

    async def worker() -> None:
        for _ in range(case.exchanges // case.at_once):
            assert await exchange() == case.size

    before = time.process_time()
    await asyncio.gather(*(worker() for _ in range(case.at_once)))
    return (time.process_time() - before) / (case.exchanges // case.at_once * case.at_once) * 1e6


async def compare(port: int, rounds: int) -> None:
    """Measure every case and print a table."""
    tasks = Tasks()
    pool = UpstreamPool(PoolSettings(Endpoint.parse(f"http://127.0.0.1:{port}")), SystemClock(), tasks)
    connector = aiohttp.TCPConnector(limit=256)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
        print("| case | Veneer us | aiohttp us | ratio | spread |\n|---|---|---|---|---|")
        for case in CASES:
            contenders = own(pool, case.size), aiohttps(session, port, case.size)
            measured = [[await cost_us(contender, case) for contender in contenders] for _ in range(rounds + 1)][1:]
            ours, theirs = (statistics.median(column) for column in zip(*measured, strict=True))
            ratios = [pair[1] / pair[0] for pair in measured]
            spread = f"{min(ratios):.1f} to {max(ratios):.1f}"
            print(f"| {case.name} | {ours:.1f} | {theirs:.1f} | {statistics.median(ratios):.1f} | {spread} |")
    await pool.aclose()


def main() -> None:
    """Start the origin in its own process and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        uvloop.run(serve())
        return
    origin = subprocess.Popen([sys.executable, "-m", "benchmarks.upstream", "--serve"], stdout=subprocess.PIPE)
    try:
        assert origin.stdout is not None
        uvloop.run(compare(int(origin.stdout.readline()), arguments.rounds))
    finally:
        origin.kill()


if __name__ == "__main__":
    main()
