"""How fast the changes of a PostgreSQL are followed, how late, and in how much memory.

    python -m benchmarks.changes [--rows 200000] [--seconds 10] [--large 1000000]

A server of its own, and writers that are processes of their own. The follower is this process, on one core: psycopg2,
the decoder, tags, and the wait until a transaction is visible; there is no log behind it. A backlog tells the most it
can do; a rate of 10,000 rows a second whether the lag grows; single commits how late an item is, from the moment at
which COMMIT has returned to the writer; a large transaction what memory it takes and how long it holds the loop.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil
import psycopg2
import uvloop

from devstack.postgres import PostgresServer
from veneer.changes.postgres.source import PostgresSource
from veneer.changes.postgres.stream import PostgresStream
from veneer.compiling.form import form
from veneer.core.row_changes import ColumnTemplate, TableRules
from veneer.loop.clock import SystemClock
from veneer.loop.tasks import Tasks
from veneer.policy.model_changes import PostgresRules
from veneer.ports import Beat, Committed

RATE = 10_000
AT_ONCE = 10
"""Rows of one transaction where rows are counted."""
WRITERS = 2
COMMITS_PER_S = 100
TABLES = (
    TableRules(
        "public.users",
        (
            ColumnTemplate(("user:", ""), ("id",)),
            ColumnTemplate(("users",), ()),
            ColumnTemplate(("company:", ""), ("company_id",)),
        ),
    ),
)
PREPARE = (
    "CREATE TABLE users (id int PRIMARY KEY, company_id int, name text, email text, bio text, seen timestamptz)",
    "ALTER TABLE users REPLICA IDENTITY FULL",
    """INSERT INTO users SELECT n, n % 500, 'name ' || n, n || '@example.org', repeat('x', 100), now()
       FROM generate_series(1, 100000) n""",
    "CREATE PUBLICATION told FOR TABLE users",
)
UPDATE = "UPDATE users SET name = 'other', company_id = company_id + 1 WHERE id BETWEEN %s AND %s"


def execute(url: str, *statements: str) -> None:
    """Run statements, each a transaction."""
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


def write_at(url: str, part: int, rows: int, per_s: float) -> None:
    """A writer: `rows` in transactions of AT_ONCE, at most so many rows a second."""
    clock = SystemClock()
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("SET synchronous_commit = on")
        began_s = clock.monotonic()
        for done in range(0, rows, AT_ONCE):
            first = 1 + part * 40_000 + done % 40_000
            cursor.execute(UPDATE, (first, first + AT_ONCE - 1))
            ahead_s = done / per_s - (clock.monotonic() - began_s)
            if ahead_s > 0.001:
                time.sleep(ahead_s)


def commit_singly(url: str, count: int, committed: multiprocessing.Queue[float]) -> None:
    """A writer of single rows that says when each COMMIT has returned."""
    clock = SystemClock()
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("SET synchronous_commit = on")
        for number in range(1, count + 1):
            cursor.execute(UPDATE, (number, number))
            committed.put(clock.monotonic())
            time.sleep(1 / COMMITS_PER_S)


@dataclass(slots=True)
class Followed:
    """What has come, and when."""

    at_s: list[float] = field(default_factory=list)
    beats: dict[str, float] = field(default_factory=dict)


class Follower:
    """Reads a stream and confirms at once."""

    def __init__(self, stream: PostgresStream, clock: SystemClock) -> None:
        self.stream = stream
        self.seen = Followed()
        self._clock = clock
        self._came = asyncio.Event()

    async def until(self, commits: int = 0, beat: str = "") -> None:
        """Read so many more transactions, or up to a heartbeat."""
        enough = len(self.seen.at_s) + commits
        while (commits and len(self.seen.at_s) < enough) or (beat and beat not in self.seen.beats):
            items = await self.stream.read()
            now_s = self._clock.monotonic()
            for item in items:
                if isinstance(item, Committed):
                    self.seen.at_s.append(now_s)
                elif isinstance(item, Beat):
                    self.seen.beats[item.content] = now_s
            self._came.set()
            self.stream.confirm(items[-1].position)

    async def beaten(self, content: str) -> float:
        """When the heartbeat came, while `until` reads."""
        while content not in self.seen.beats:
            self._came.clear()
            await self._came.wait()
        return self.seen.beats[content]


@contextmanager
def writing(target: object, *arguments: object) -> Iterator[BaseProcess]:
    """A process that writes."""
    process = multiprocessing.get_context("spawn").Process(target=target, args=arguments)  # type: ignore[arg-type]
    process.start()
    try:
        yield process
    finally:
        process.join()


async def backlog(url: str, source: PostgresSource, rows: int) -> None:
    """Rows that were written before anybody read."""
    for part in range(WRITERS):
        await asyncio.to_thread(write_at, url, part, rows // WRITERS, 1e9)
    me, clock = psutil.Process(), SystemClock()
    stream = await source.open()
    follower, began_s, before = Follower(stream, clock), clock.monotonic(), sum(me.cpu_times()[:2])
    await follower.until(commits=rows // AT_ONCE)
    took_s, used_s = clock.monotonic() - began_s, sum(me.cpu_times()[:2]) - before
    print(f"backlog of {rows:,} updates in transactions of {AT_ONCE}: {rows / took_s:,.0f} rows/s followed,")
    print(f"  {used_s / rows * 1e6:.1f} us of this process a row, so at most {rows / used_s:,.0f} rows/s on a core")
    await stream.aclose()


async def steady(url: str, source: PostgresSource, seconds: int) -> None:
    """RATE rows a second; a heartbeat each half second tells the lag."""
    stream, clock, me = await source.open(), SystemClock(), psutil.Process()
    follower, tasks = Follower(stream, clock), Tasks()
    lags_ms: list[float] = []
    reading = tasks.start(follower.until(beat="end"), "reading")
    began_s, before = clock.monotonic(), sum(me.cpu_times()[:2])
    rows, each = RATE * seconds // WRITERS, RATE / WRITERS
    with writing(write_at, url, 0, rows, each) as one, writing(write_at, url, 1, rows, each) as other:
        while one.is_alive() or other.is_alive():
            sent_s, content = clock.monotonic(), str(len(lags_ms))
            await stream.beat(content)
            lags_ms.append((await follower.beaten(content) - sent_s) * 1e3)
            await asyncio.sleep(0.1)
    took_s, used_s = clock.monotonic() - began_s, sum(me.cpu_times()[:2]) - before
    await stream.beat("end")
    await reading
    await stream.aclose()
    written, came_s = len(follower.seen.at_s) * AT_ONCE, follower.seen.at_s[-1] - follower.seen.at_s[0]
    first, last = lags_ms[len(lags_ms) // 4 : len(lags_ms) // 2], lags_ms[-len(lags_ms) // 4 :]
    print(f"{written / came_s:,.0f} rows/s for {came_s:.0f} s: {100 * used_s / took_s:.0f} % of a core; heartbeats")
    print(f"  {_figures(lags_ms)}; medians {statistics.median(first):.1f} early and {statistics.median(last):.1f} late")


async def single(url: str, source: PostgresSource, count: int) -> None:
    """Single commits."""
    stream, clock = await source.open(), SystemClock()
    follower = Follower(stream, clock)
    await stream.beat("begun")
    await follower.until(beat="begun")
    follower.seen.at_s.clear()
    committed: multiprocessing.Queue[float] = multiprocessing.get_context("spawn").Queue()
    with writing(commit_singly, url, count, committed):
        await follower.until(commits=count)
        lags_ms = [(at_s - committed.get()) * 1e3 for at_s in follower.seen.at_s]
    await stream.aclose()
    print(f"{count} single commits, {COMMITS_PER_S}/s, from COMMIT to item: {_figures(lags_ms)}")


async def large(url: str, source: PostgresSource, rows: int) -> None:
    """One transaction of many rows."""
    stream, clock, me = await source.open(), SystemClock(), psutil.Process()
    follower, tasks = Follower(stream, clock), Tasks()
    insert = "INSERT INTO users SELECT n, n % 500, 'name', 'e', repeat('x', 100) FROM generate_series({}, {}) n"
    before, most, longest_ms = me.memory_info().rss, 0, 0.0
    reading = tasks.start(follower.until(commits=1), "reading")
    began_s = clock.monotonic()
    await asyncio.to_thread(execute, url, insert.format(1_000_000, 1_000_000 + rows - 1))
    committed_s, cpu_s = clock.monotonic(), sum(me.cpu_times()[:2])
    while not reading.done():
        asked_s = clock.monotonic()
        await asyncio.sleep(0)
        longest_ms = max(longest_ms, (clock.monotonic() - asked_s) * 1e3)
        await asyncio.sleep(0.005)
        most = max(most, me.memory_info().rss)
    took_s, used_s = follower.seen.at_s[-1] - committed_s, sum(me.cpu_times()[:2]) - cpu_s
    await stream.aclose()
    grown_mb = (most - before) / 1e6
    print(f"one transaction of {rows:,} rows, {committed_s - began_s:.0f} s to write: told {took_s:.1f} s after it,")
    print(f"  {used_s / rows * 1e6:.1f} us a row; {grown_mb:+.1f} MB; the loop was held {longest_ms:.1f} ms at most")


def _figures(values: list[float]) -> str:
    ordered = sorted(values)
    at = [ordered[min(len(ordered) - 1, int(len(ordered) * part))] for part in (0.5, 0.99)]
    return f"p50 {at[0]:.2f} ms, p99 {at[1]:.2f} ms, most {ordered[-1]:.1f} ms of {len(ordered)}"


async def measure(rows: int, seconds: int, large_rows: int) -> None:
    """All of it, on one server."""
    with tempfile.TemporaryDirectory(prefix="veneer-postgres-") as directory:
        server = PostgresServer(Path(directory), settings=("max_slot_wal_keep_size=8GB", "max_wal_size=4GB"))
        server.start()
        try:
            url = server.create_database("changes")
            execute(url, *PREPARE)
            source = PostgresSource("main", PostgresRules(url, "changes", "told"), TABLES)
            stream = await source.open()
            await Follower(stream, SystemClock()).until(commits=1)
            await stream.aclose()
            print(f"{form().value} form")
            await backlog(url, source, rows)
            await steady(url, source, seconds)
            await single(url, source, COMMITS_PER_S * seconds)
            await large(url, source, large_rows)
        finally:
            server.stop()


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--large", type=int, default=1_000_000)
    asked = parser.parse_args()
    uvloop.run(measure(asked.rows, asked.seconds, asked.large))


if __name__ == "__main__":
    main()
