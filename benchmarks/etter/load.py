"""Drive one phase: so many users, each asking, thinking, asking again; only what began after the warm-up counts."""

from __future__ import annotations

import asyncio
import gc
import re
import time
from dataclasses import dataclass
from random import Random

import uvloop

from benchmarks.etter.client import Connection, Reply
from benchmarks.etter.mix import Mix, Person, Request

CONNECTING = 10
_FORWARDED = re.compile(r"fwd=([a-z-]+)")


@dataclass(frozen=True, slots=True)
class Plan:
    """How much load. A user thinks for an exponentially distributed time between an answer and the next request."""

    users: int
    warm_up_seconds: float
    seconds: float
    think_seconds: float
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class Sample:
    """One finished request; `cache_status` is what the proxy said about it (RFC 9211), empty without a proxy."""

    route: str
    is_read: bool
    status: int
    seconds: float
    body_bytes: int
    cache_status: str = ""

    @property
    def hit(self) -> bool:
        """Whether it was answered from the store."""
        return "; hit" in self.cache_status

    @property
    def why_forwarded(self) -> str:
        """The proxy's reason for asking the backend, such as `uri-miss`; empty for a hit."""
        found = _FORWARDED.search(self.cache_status)
        return found[1] if found is not None and not self.hit else ""


@dataclass(frozen=True, slots=True)
class Measured:
    """A phase's samples, the backend's metrics before and after it, and processor seconds by process.

    Metrics and processor time span the warm-up too.
    """

    samples: list[Sample]
    before: str
    after: str
    cpu_seconds: dict[str, float]


def run_load(host: str, port: int, mix: Mix, people: list[Person], plan: Plan) -> list[Sample]:
    """Run the load and return the samples of the measured time."""
    gc.collect()
    gc.freeze()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_drive(host, port, mix, people, plan))
    finally:
        gc.unfreeze()


async def _drive(host: str, port: int, mix: Mix, people: list[Person], plan: Plan) -> list[Sample]:
    samples: list[Sample] = []
    connections = [Connection(host, port, person, timeout_seconds=plan.timeout_seconds) for person in people]
    await _connect(connections)
    begin = time.perf_counter()
    measured_from = begin + plan.warm_up_seconds
    end = measured_from + plan.seconds

    async def live(number: int, person: Person, connection: Connection) -> None:
        random = Random(number)
        # Users do not all arrive in the same instant.
        await asyncio.sleep(random.random() * min(plan.warm_up_seconds, 5.0))
        while (started := time.perf_counter()) < end:
            request = mix.draw(person, random)
            reply = await connection.ask(request)
            finished = time.perf_counter()
            # What is still open at the end counts too, or the slowest answers would be left out.
            if started >= measured_from:
                samples.append(_sample(request, reply, finished - started))
            if plan.think_seconds:
                await asyncio.sleep(random.expovariate(1 / plan.think_seconds))
        connection.close()

    async with asyncio.TaskGroup() as group:
        for number, (person, connection) in enumerate(zip(people, connections, strict=True)):
            group.create_task(live(number, person, connection))
    return samples


async def _connect(connections: list[Connection]) -> None:
    """Connect all users before the load begins: a busy server accepts slowly, and that is not what is measured here."""
    hello = Request("connect", "GET", "/health", b"", is_read=True)
    for start in range(0, len(connections), CONNECTING):
        await asyncio.gather(*(connection.ask(hello) for connection in connections[start : start + CONNECTING]))


def _sample(request: Request, reply: Reply, seconds: float) -> Sample:
    said = reply.cache_status.decode("latin-1")
    return Sample(request.route, request.is_read, reply.status, seconds, reply.body_bytes, said)
