"""Nodes that stop, are killed, or take up another policy; a process with few descriptors, or with nowhere to log."""

from __future__ import annotations

import asyncio

from checks.coherence.http import Connection
from checks.storm.figures import at_least, at_most
from checks.storm.load import Ask, Crowd, Outcome, Samples, again, ever_new
from checks.storm.servers import Setting, Veneer
from checks.storm.stage import Stage

STORED = "control=max-age%3D3600"
HITS = Ask("kept", again(1, 20), STORED)
NEW = Ask("new", ever_new(1000), "takes=0.05")
CROWDED = 300
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
            guests = [Connection(veneer.ports[0]) for _ in range(CROWDED)]
            asked = (guest.ask("GET", f"/kept/1?{STORED}", timeout_s=2.0) for guest in guests)
            answers = await asyncio.gather(*asked, return_exceptions=True)
            held = sum(not isinstance(answer, BaseException) for answer in answers)
            stage.note(veneer, f"of {CROWDED} clients answered at once", held)
            for guest in guests:
                guest.close()
            await asyncio.sleep(1)
            hits, new = await asyncio.gather(crowd.come(HITS, 100, stage.seconds), crowd.come(NEW, 50, stage.seconds))
    _note(stage, veneer, hits, new, calm)


async def few_descriptors_behind(stage: Stage) -> None:
    """More is asked of a backend than it has descriptors for; afterwards everything is as before."""
    long = Ask("long", ever_new(10_000), f"takes={LONG_S}")
    async with stage.backends(under=FEW_DESCRIPTORS) as backends:
        veneer = stage.veneer(backends)
        async with stage.before(backends, veneer) as crowd:
            await crowd.once(HITS, range(1, 21))
            calm = await crowd.come(HITS, 100, 3)
            hits, crowded = await asyncio.gather(
                crowd.come(HITS, 100, stage.seconds), crowd.come(long, LONG_RATE, stage.seconds)
            )
            await asyncio.sleep(1)
            after = await crowd.come(NEW, 50, 3)
    stage.note(veneer, "what is too much not served, %", 100 * crowded.share_not_served())
    stage.note(veneer, "the same, failed", len(crowded.of(Outcome.FAILED)))
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
