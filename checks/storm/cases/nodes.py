"""Nodes that stop, are killed, or take up another policy; a process with few descriptors, or with nowhere to log."""

from __future__ import annotations

import asyncio
import time
from typing import cast

from checks.coherence.http import HOST
from checks.storm.figures import at_least, at_most
from checks.storm.footprint import Footprint
from checks.storm.load import Ask, Crowd, Outcome, Samples, again, ever_new
from checks.storm.servers import Setting, Veneer
from checks.storm.stage import Stage

STORED = "control=max-age%3D3600"
HITS = Ask("kept", again(1, 20), STORED)
NEW = Ask("new", ever_new(1000), "takes=0.05")
CROWDED = 300
REFUSED_MS = 500.0
"""So many clients come in one moment, with one process of this machine for all of them."""
FEW_DESCRIPTORS = ("sh", "-c", 'ulimit -n 256 && exec "$@"', "sh")
LONG_S, LONG_RATE = 1.0, 300
"""More requests at once than a backend with few descriptors has connections for."""


async def stop(stage: Stage) -> None:
    """One of two nodes is stopped in order; what it had taken up is answered, the other notices nothing."""
    await _one_of_two(stage, killed=False)


async def kill(stage: Stage) -> None:
    """One of two nodes is killed."""
    await _one_of_two(stage, killed=True)


async def _one_of_two(stage: Stage, *, killed: bool) -> None:
    async with stage.redis() as server, stage.backends() as backends:
        veneer = stage.veneer(backends, Setting(redis_urls=(server.url, server.url)))
        async with stage.before(backends, veneer) as both:
            other = Crowd(veneer.ports[1:], stage.ledger, coded=stage.coded)
            await both.once(HITS, [number for number in range(1, 21) for _ in veneer.ports])
            calm = await other.come(HITS, 100, 3)
            struck = veneer.nodes[0]
            hits, new, _ = await asyncio.gather(
                other.come(HITS, 100, stage.seconds),
                other.come(NEW, 50, stage.seconds),
                asyncio.to_thread(struck.kill if killed else struck.stop),
            )
            other.close()
    _note(stage, veneer, hits, new, calm)
    stage.note(veneer, "hits that are hits, %", hits.hits_percent(), at_least(95))


async def roll(stage: Stage) -> None:
    """Two workers are replaced, one after the other, by such with another policy."""
    async with stage.redis() as server, stage.backends() as backends:
        veneer = stage.veneer(backends, Setting(redis_urls=(server.url,), workers=2))
        async with stage.before(backends, veneer) as crowd:
            await crowd.once(HITS, list(range(1, 21)) * 3)
            calm = await crowd.come(HITS, 100, 3)
            veneer.nodes[0].reload()
            hits, new = await asyncio.gather(crowd.come(HITS, 100, stage.seconds), crowd.come(NEW, 50, stage.seconds))
    _note(stage, veneer, hits, new, calm)


async def few_descriptors(stage: Stage) -> None:
    """More clients stay connected than there are descriptors for; when they have gone everything is as before."""
    async with stage.backends() as backends:
        veneer = stage.veneer(backends, Setting(under=FEW_DESCRIPTORS))
        async with stage.before(backends, veneer) as crowd:
            await crowd.once(HITS, range(1, 21))
            calm = await crowd.come(HITS, 100, 3)
            crowd.close()
            await asyncio.sleep(1)
            footprint = Footprint(veneer)
            guests: list[_Guest] = []
            met = await asyncio.gather(*[_met(veneer.ports[0], guests) for _ in range(CROWDED)])
            refused_ms = [took_s * 1000 for status, took_s in met if status == 503]
            stage.note(veneer, f"of {CROWDED} clients answered", sum(status == 200 for status, _ in met), at_least(1))
            stage.note(veneer, f"of {CROWDED} clients refused", len(refused_ms))
            stage.note(veneer, "the slowest refused after, ms", max(refused_ms, default=0.0), at_most(REFUSED_MS))
            stage.note(veneer, "neither answered nor refused", sum(status is None for status, _ in met), at_most(0))
            for guest in guests:
                if guest.transport is not None:
                    guest.transport.close()
            await asyncio.sleep(1)
            hits, new = await asyncio.gather(crowd.come(HITS, 100, stage.seconds), crowd.come(NEW, 50, stage.seconds))
            crowd.close()
            await footprint.note_after(stage)
    _note(stage, veneer, hits, new, calm)


class _Guest(asyncio.Protocol):
    """A client that stays connected. What it is told before it has asked counts, too: a refusal may be quicker."""

    def __init__(self) -> None:
        self.told: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's does not say that it is one
        self.transport.write(f"GET /kept/1?{STORED} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        if not self.told.done():
            self.told.set_result(int(data.split(b" ", 2)[1]))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.told.done():
            self.told.set_result(None)


async def _met(port: int, guests: list[_Guest]) -> tuple[int | None, float]:
    """The status that one more client has got, None for none in time; and after how many seconds."""
    began = time.perf_counter()
    _, guest = await asyncio.get_running_loop().create_connection(_Guest, "127.0.0.1", port)
    guests.append(guest)
    await asyncio.wait((guest.told,), timeout=2.0)
    return (guest.told.result() if guest.told.done() else None), time.perf_counter() - began


async def few_descriptors_behind(stage: Stage) -> None:
    """More is asked of a backend than it has descriptors for; afterwards everything is as before."""
    long = Ask("long", ever_new(10_000), f"takes={LONG_S}")
    async with stage.backends(under=FEW_DESCRIPTORS) as backends:
        veneer = stage.veneer(backends)
        async with stage.before(backends, veneer) as crowd:
            await crowd.once(HITS, range(1, 21))
            calm = await crowd.come(HITS, 100, 3)
            crowd.close()
            await asyncio.sleep(1)
            footprint = Footprint(veneer)
            hits, crowded = await asyncio.gather(
                crowd.come(HITS, 100, stage.seconds), crowd.come(long, LONG_RATE, stage.seconds)
            )
            await asyncio.sleep(1)
            after = await crowd.come(NEW, 50, 3)
            crowd.close()
            await footprint.note_after(stage)
    stage.note(veneer, "what is too much not served, %", 100 * crowded.share_not_served())
    stage.note(veneer, "the same, failed", len(crowded.of(Outcome.FAILED)), at_most(0))
    _note(stage, veneer, hits, after, calm)


async def full_disk(stage: Stage) -> None:
    """Nothing that is logged can be written."""
    async with stage.backends() as backends:
        veneer = stage.veneer(backends, Setting(under=("sh", "-c", 'exec "$@" >/dev/full', "sh")))
        async with stage.before(backends, veneer) as crowd:
            await crowd.once(HITS, range(1, 21))
            calm = await crowd.come(HITS, 100, 3)
            hits, new = await asyncio.gather(crowd.come(HITS, 100, stage.seconds), crowd.come(NEW, 50, stage.seconds))
    _note(stage, veneer, hits, new, calm)


def _note(stage: Stage, veneer: Veneer, hits: Samples, new: Samples, calm: Samples) -> None:
    stage.note(veneer, "hits not served", hits.not_served(), at_most(0))
    stage.note(veneer, "hits p99, ms", hits.ms(0.99), at_most(5))
    stage.note(veneer, "hits p99 : calm p99", hits.ms(0.99) / calm.ms(0.99))
    stage.note(veneer, "misses not served", new.not_served(), at_most(0))
