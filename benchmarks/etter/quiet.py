"""History, cursor and dashboard, asked one after the other of the backend alone: what the data costs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from random import Random

import numpy as np

from benchmarks.etter.client import Connection
from benchmarks.etter.mix import ETTER, Person, Request
from benchmarks.etter.report import QuietRead
from etter.web.pagination import encode_cursor

ASKED = 200


def targets_of(history: int, random: Random) -> Mapping[str, str]:
    """Return what a person asks for; cursors begin anywhere in the list."""
    deep = random.randrange(history)
    return {
        "history": "history",
        "history, newest first": "history?sort=-id",
        "history in one state": f"history?status={random.choice(('done', 'running', 'planned', 'failed'))}",
        "history by cursor": f"history?cursor={encode_cursor((deep, deep))}&page_size=100",
        "history backwards by cursor": f"history?cursor={encode_cursor((deep, deep))}&sort=-id",
        "dashboard": "get_chro_data",
    }


async def quiet_reads(host: str, port: int, people: list[Person], history: int) -> list[QuietRead]:
    """Ask for each kind of read as each of the people, on one connection. `history`: runs of all companies."""
    times: dict[str, list[float]] = {}
    # The first person's requests find nothing prepared; they are not what data costs.
    for counted, person in _once_then_all(people):
        connection = Connection(host, port, person, timeout_seconds=30)
        for name, path in targets_of(history, Random(person.user_id)).items():
            started = time.perf_counter()
            reply = await connection.ask(Request(name, "GET", ETTER + path, b"", is_read=True))
            seconds = time.perf_counter() - started
            if reply.status != 200:
                msg = f"{path}: answered {reply.status}"
                raise RuntimeError(msg)
            if counted:
                times.setdefault(name, []).append(seconds * 1000)
        connection.close()
    return [_figures(name, milliseconds) for name, milliseconds in times.items()]


def measure(host: str, port: int, people: list[Person], history: int) -> list[QuietRead]:
    """Run `quiet_reads` on an event loop of its own."""
    return asyncio.run(quiet_reads(host, port, people[:ASKED], history))


def _once_then_all(people: list[Person]) -> Iterator[tuple[bool, Person]]:
    yield False, people[0]
    for person in people:
        yield True, person


def _figures(name: str, milliseconds: list[float]) -> QuietRead:
    p50, p95, longest = (round(float(value), 1) for value in np.percentile(milliseconds, (50, 95, 100)))
    return QuietRead(name=name, requests=len(milliseconds), p50_ms=p50, p95_ms=p95, longest_ms=longest)
