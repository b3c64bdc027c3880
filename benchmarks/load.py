"""Load on any URL, and a report.

    python -m benchmarks.load http://127.0.0.1:8080/api/etter/users -H "Authorization: Bearer $TOKEN" -c 32 -s 10

So many connections ask one URL after the other, in turns, for so many seconds, and what they got is counted: rate,
latencies, statuses, bytes, and hits by Cache-Status (RFC 9211). With `--max-p95` or `--max-failed` the exit status is 1
when they are exceeded.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp
import msgspec

_QUANTILES = (0.5, 0.95, 0.99, 1.0)


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked for, and how: `connections` at once for `seconds`, each answer awaited for `timeout_s`."""

    urls: Sequence[str]
    method: str
    headers: Sequence[tuple[str, str]]
    body: bytes | None
    connections: int
    seconds: float
    timeout_s: float


@dataclass(slots=True)
class Counted:
    """What came: latencies in seconds; status 0 is a connection that failed or took too long."""

    latencies: list[float] = field(default_factory=list[float])
    statuses: Counter[int] = field(default_factory=Counter[int])
    hits: int = 0
    body_bytes: int = 0


class LoadReport(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a run; latencies in milliseconds, shares from 0 to 1. Failed: no answer, or a 5xx."""

    requests: int
    seconds: float
    per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    longest_ms: float
    failed_share: float
    hit_share: float
    bytes_per_reply: float
    statuses: dict[str, int]

    def text(self) -> str:
        """The figures for people."""
        statuses = ", ".join(f"{count} x {status}" for status, count in self.statuses.items())
        return (
            f"{self.requests} requests in {self.seconds:.1f} s, {self.per_second:.0f}/s; {statuses}\n"
            f"latency ms: p50 {self.p50_ms}, p95 {self.p95_ms}, p99 {self.p99_ms}, longest {self.longest_ms}\n"
            f"failed {self.failed_share:.2%}, hits {self.hit_share:.1%}, {self.bytes_per_reply:.0f} bytes each\n"
        )


def report(counted: Counted, seconds: float) -> LoadReport:
    """Sum up what came in so many seconds."""
    requests = counted.statuses.total()
    failed = sum(count for status, count in counted.statuses.items() if status == 0 or status >= 500)
    ordered = sorted(counted.latencies)
    p50, p95, p99, longest = (quantile_ms(ordered, share) for share in _QUANTILES)
    named = {str(status) if status else "no answer": count for status, count in sorted(counted.statuses.items())}
    return LoadReport(
        requests=requests,
        seconds=round(seconds, 2),
        per_second=round(requests / max(seconds, 0.001), 1),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        longest_ms=longest,
        failed_share=failed / max(requests, 1),
        hit_share=counted.hits / max(requests, 1),
        bytes_per_reply=counted.body_bytes / max(requests, 1),
        statuses=named,
    )


def quantile_ms(ordered: Sequence[float], share: float) -> float:
    """The smallest of the ordered seconds that so large a share does not exceed, in milliseconds; 0 without any."""
    if not ordered:
        return 0.0
    return round(ordered[max(0, math.ceil(share * len(ordered)) - 1)] * 1000, 2)


async def run(target: Target) -> LoadReport:
    """Put the load on and return what came."""
    counted = Counted()
    limits = aiohttp.ClientTimeout(total=target.timeout_s)
    connector = aiohttp.TCPConnector(limit=target.connections)
    async with aiohttp.ClientSession(connector=connector, timeout=limits, headers=target.headers) as session:
        begin = time.perf_counter()
        end = begin + target.seconds

        async def live(number: int) -> None:
            asked = number
            while time.perf_counter() < end:
                await _ask(session, target, target.urls[asked % len(target.urls)], counted)
                asked += 1

        await asyncio.gather(*(live(number) for number in range(target.connections)))
        return report(counted, time.perf_counter() - begin)


async def _ask(session: aiohttp.ClientSession, target: Target, url: str, counted: Counted) -> None:
    started = time.perf_counter()
    status = 0
    try:
        async with session.request(target.method, url, data=target.body) as response:
            counted.body_bytes += len(await response.read())
            counted.hits += "; hit" in response.headers.get("Cache-Status", "")
            status = response.status
    except (aiohttp.ClientError, TimeoutError):
        await asyncio.sleep(0.01)  # a server that is gone refuses at once
    counted.statuses[status] += 1
    counted.latencies.append(time.perf_counter() - started)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 1 when a bound was exceeded."""
    options = _parser().parse_args(arguments)
    headers = [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in options.header)]
    body = options.data.encode() if options.data is not None else None
    target = Target(options.url, options.method, headers, body, options.connections, options.seconds, options.timeout)
    found = asyncio.run(run(target))
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n" if options.json else found.text())
    late = options.max_p95 is not None and found.p95_ms > options.max_p95
    failing = options.max_failed is not None and found.failed_share > options.max_failed
    return 1 if late or failing else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description="Load on any URL, and a report.")
    parser.add_argument("url", nargs="+", help="http:// or https://; several are asked in turns")
    parser.add_argument("-X", "--method", default="GET")
    parser.add_argument("-H", "--header", action="append", default=[], metavar="NAME: VALUE")
    parser.add_argument("-d", "--data", metavar="TEXT", help="the body of each request")
    parser.add_argument("-c", "--connections", type=int, default=32)
    parser.add_argument("-s", "--seconds", type=float, default=10.0)
    parser.add_argument("--timeout", type=float, default=30.0, metavar="SECONDS")
    parser.add_argument("--json", action="store_true", help="the report as one JSON object")
    parser.add_argument("--max-p95", type=float, metavar="MS")
    parser.add_argument("--max-failed", type=float, metavar="SHARE", help="0.001 is one in a thousand")
    return parser


if __name__ == "__main__":
    sys.exit(main())
