"""How Veneer's hits change with what is stored, how many routes there are, and how many tags each entry has."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence

import msgspec

from benchmarks.peers.field import Field
from benchmarks.peers.machine import resident_bytes
from benchmarks.peers.requests import request, zipf
from benchmarks.peers.run import Say
from benchmarks.peers.servers import Server, Veneer
from benchmarks.peers.wire import drive
from benchmarks.peers.wrk import Window

BODY_BYTES = 2_048
TOLD_EACH = 100_000
ASKED = 100_000
ENTRIES = (1_000, 10_000, 100_000, 1_000_000)
ROUTES = (1, 10, 100)
TAGS = (0, 8, 32)
FEWEST = ENTRIES[0]
ALIKE, POPULAR, FEW = "all asked alike", "Zipf over all", "the same 1,000 asked"

Windows = dict[str, list[Window]]
"""Rounds of each way of asking."""


class Step(msgspec.Struct, frozen=True):
    """Hits at one size. `beyond_bytes` is memory for each entry, without the bytes of its body.

    `beside` has, where it was asked in turn, what a server with FEWEST entries did in the same rounds.
    """

    size: int
    hits: Windows
    beyond_bytes: float | None = None
    beside: Windows = {}

    def per_second(self, asked: str) -> float:
        """The median over the rounds."""
        return statistics.median(window.per_second for window in self.hits[asked])

    def cpu_us(self, asked: str) -> float:
        """The median over the rounds."""
        return statistics.median(window.cpu_us for window in self.hits[asked])


class Growth(msgspec.Struct, frozen=True):
    """The three series."""

    entries: list[Step]
    routes: list[Step]
    tags: list[Step]


def measure_growth(field: Field, most_entries: int, say: Say) -> Growth:
    """All three series; entries up to `most_entries`."""
    return Growth(_entries(field, most_entries, say), _routes(field, say), _tags(field, most_entries, say))


def _path(number: int) -> str:
    return f"/small/entry{number:07d}"


def _fill(port: int, first: int, end: int) -> None:
    def requests() -> Iterator[bytes]:
        for number in range(first, end):
            yield request(_path(number))

    drive(port, requests())


def _fill_twice(port: int, first: int, end: int, say: Say) -> None:
    """Ask for all of them, and once more, so that hits are all there is then; by far the longest part, so it tells."""
    for what in ("stored", "hit"):
        for begin in range(first, end, TOLD_EACH):
            count, began = min(end - begin, TOLD_EACH), time.perf_counter()
            _fill(port, begin, begin + count)
            say(f"{begin:,} to {begin + count:,} {what}: {count / (time.perf_counter() - began):,.0f}/s")


def _entries(field: Field, most: int, say: Say) -> list[Step]:
    """One process that grows, asked in turn with one that does not; nothing is evicted.

    What the machine can do changes in the minutes between two sizes, so each is compared with FEWEST as it does then.
    """
    server, small = _large(field, "growth"), _large(field, "growth-beside")
    _fill_twice(small.ports["full"], 0, FEWEST, say)
    _fill_twice(server.ports["full"], most + 1, most + 1_001, say)  # What a first thousand costs once is no entry's.
    before, steps, filled = resident_bytes(server.pids), list[Step](), 0
    for size in [size for size in ENTRIES if size <= most]:
        _fill_twice(server.ports["full"], filled, size, say)
        filled = size
        beyond = (resident_bytes(server.pids) - before) / size - BODY_BYTES
        hits, beside = _asked_in_turn(field, (server, size), (small, FEWEST))
        step = Step(size, hits, round(beyond, 1), beside)
        say(
            f"{size:,} entries: {step.per_second(ALIKE):,.0f}/s, {step.cpu_us(ALIKE):.1f} us, {beyond:,.0f} B beyond; "
            f"with {FEWEST:,} {statistics.median(window.per_second for window in beside[ALIKE]):,.0f}/s"
        )
        steps.append(step)
    server.stop()
    small.stop()
    return steps


def _large(field: Field, name: str) -> Server:
    return field.adopt(name, Veneer(field.origin.port, field.setting.directory / name, memory="16GB"))


def _asked_in_turn(field: Field, *sized: tuple[Server, int]) -> tuple[Windows, ...]:
    """Each server asked for entries of so many, in every way A B A B, for half as long as elsewhere."""
    seconds = max(1, field.setting.seconds // 2)
    found: tuple[Windows, ...] = tuple({} for _ in sized)
    for way in (FEW, POPULAR, ALIKE):
        files = [field.requests_file(f"growth-{number}", _asked(way, size)) for number, (_, size) in enumerate(sized)]
        for number in range(field.setting.rounds + 1):
            for (server, _), file, windows in zip(sized, files, found, strict=True):
                window = field.shoot(server, "full", file, 32, seconds)
                if number:  # The first is there to warm up.
                    windows.setdefault(way, []).append(window)
    return found


def _asked(way: str, size: int) -> list[bytes]:
    if way == FEW:
        numbers: Sequence[int] = range(0, size, max(1, size // 1_000))
    elif way == POPULAR:
        numbers = zipf(size, ASKED, seed=3)
    else:
        numbers = [number * 7_919 % size for number in range(size)]
    return [request(_path(number)) for number in numbers]


def _shoot(field: Field, server: Server, requests: Sequence[bytes]) -> list[Window]:
    file = field.requests_file("growth", requests)
    field.shoot(server, "full", file, 32, seconds=min(2, field.setting.seconds))
    return [field.shoot(server, "full", file, 32) for _ in range(max(1, field.setting.rounds // 2))]


def _routes(field: Field, say: Say) -> list[Step]:
    """The route that matches comes last."""
    steps = []
    for routes in ROUTES:
        directory = field.setting.directory / f"routes{routes}"
        server = field.adopt(directory.name, Veneer(field.origin.port, directory, routes_before=routes - 1))
        _fill(server.ports["full"], 0, 1_000)
        steps.append(Step(routes, {FEW: _shoot(field, server, [request(_path(number)) for number in range(1_000)])}))
        say(f"{routes} routes: {steps[-1].per_second(FEW):,.0f}/s, {steps[-1].cpu_us(FEW):.1f} us")
        server.stop()
    return steps


def _tags(field: Field, most_entries: int, say: Say) -> list[Step]:
    """Every entry has so many tags; memory is measured on twenty thousand entries."""
    steps, size = [], min(most_entries, 20_000)
    for tags in TAGS:
        directory = field.setting.directory / f"tags{tags}"
        server = field.adopt(directory.name, Veneer(field.origin.port, directory, tags=tags))
        _fill(server.ports["full"], size, size + 1_000)
        before = resident_bytes(server.pids)
        _fill(server.ports["full"], 0, size)
        beyond = (resident_bytes(server.pids) - before) / size - BODY_BYTES
        requests = [request(_path(number)) for number in range(1_000)]
        steps.append(Step(tags, {FEW: _shoot(field, server, requests)}, round(beyond, 1)))
        say(f"{tags} tags: {steps[-1].per_second(FEW):,.0f}/s, {beyond:,.0f} B beyond")
        server.stop()
    return steps
