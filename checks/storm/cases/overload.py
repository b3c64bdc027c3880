"""Ten times what the backend can do, a route that hangs beside one that does not, a hot page whose refresh hangs."""

from __future__ import annotations

import asyncio

from checks.storm.backend import Mode
from checks.storm.figures import at_least, at_most
from checks.storm.load import Ask, Outcome, Samples, again, ever_new
from checks.storm.servers import Backend, Contender, Setting
from checks.storm.stage import Stage

CAPACITY, CALM_RATE, STORM_RATE, HIT_RATE = 50.0, 5.0, 500.0, 50.0
STORED = "control=max-age%3D3600"
HITS = Ask("kept", again(1, 20), STORED)
SETTLING_S = 2.0
"""How long the limit may take to find the backend's capacity."""

SHOWN_AFTER_MS = 100
"""After so long a refresh that hangs has what is stale shown in its place, where the policy says so."""


async def ten_times(stage: Stage, places: int, takes_s: float) -> None:
    """A backend that works on `places` requests at once, each of `takes_s`, is asked for ten times its capacity."""
    async with stage.backends() as (backend,):
        for contender in stage.contenders([backend]):
            await _ten_times(stage, contender, backend, places, takes_s)


async def _ten_times(stage: Stage, contender: Contender, backend: Backend, places: int, takes_s: float) -> None:
    misses = Ask("new", ever_new(1000), f"takes={takes_s}")
    async with stage.before([backend], contender) as crowd:
        await backend.become(places=places)
        await crowd.once(HITS, range(1, 21))
        calm, calm_hits = await asyncio.gather(
            crowd.come(misses, CALM_RATE, stage.seconds / 3), crowd.come(HITS, HIT_RATE, stage.seconds / 3)
        )
        seconds = stage.seconds + SETTLING_S
        storm, hits = await asyncio.gather(crowd.come(misses, STORM_RATE, seconds), crowd.come(HITS, HIT_RATE, seconds))
    settled = storm.since(storm.began_s + SETTLING_S)
    served = len(settled.of(Outcome.SERVED)) / stage.seconds
    stage.note(contender, "goodput of capacity", served / CAPACITY, at_least(0.9))
    slower = settled.ms(0.99) / calm.ms(0.5)
    stage.note(contender, "accepted p99 : unloaded p50", slower, at_most(3))
    stage.note(contender, "refused p99, ms", settled.ms(0.99, Outcome.REFUSED), at_most(50))
    stage.note(contender, "clients that gave up, %", _percent(settled, Outcome.GIVEN_UP))
    _note_hits(stage, contender, calm_hits, hits)


def _note_hits(stage: Stage, contender: Contender, calm: Samples, storm: Samples) -> None:
    stage.note(contender, "hits not served", storm.not_served(), at_most(0))
    stage.note(contender, "hits p99, ms", storm.ms(0.99), at_most(5))
    stage.note(contender, "hits p99 : calm p99", storm.ms(0.99) / calm.ms(0.99), at_most(2))


def _percent(samples: Samples, outcome: Outcome) -> float:
    return 100 * len(samples.of(outcome)) / max(1, len(samples.all))


async def slow_route(stage: Stage) -> None:
    """100 clients a second for a route that takes longer than anybody waits, beside 20 for one that is quick."""
    async with stage.backends() as (backend,):
        for contender in stage.contenders([backend], Setting(routes=_two_routes())):
            async with stage.before([backend], contender) as crowd:
                slow = Ask("slow", ever_new(1000), "takes=30")
                quick = Ask("quick", ever_new(100_000))
                _, seen = await asyncio.gather(
                    crowd.come(slow, 100, stage.seconds), crowd.come(quick, 20, stage.seconds)
                )
            stage.note(contender, "quick ones not served, %", 100 * seen.share_not_served(), at_most(0.1))
            stage.note(contender, "quick ones p99, ms", seen.ms(0.99))


def _two_routes() -> str:
    return '  - {name: slow, match: {path: "/slow/{n}"}}\n  - {name: quick, match: {path: "/quick/{n}"}}\n'


async def hot_page(stage: Stage) -> None:
    """A page that everybody wants has become stale, and the backend hangs."""
    async with stage.backends() as (backend,):
        for name in ("stale-while-revalidate", "stale-if-error"):
            for contender in stage.contenders([backend]):
                await _hot_page(stage, contender, backend, name)
        soon = Setting(top=f"defaults: {{stale_if_error_after: {SHOWN_AFTER_MS}ms}}\n")
        await _hot_page(stage, stage.veneer([backend], soon), backend, "stale-if-error", shown_soon=True)


async def _hot_page(
    stage: Stage, contender: Contender, backend: Backend, allowed: str, *, shown_soon: bool = False
) -> None:
    page = Ask("hot", again(1, 1), f"control=max-age%3D1,%20{allowed}%3D600")
    async with stage.before([backend], contender) as crowd:
        calm = await crowd.come(page, 100, 0.9)
        await backend.become(Mode.HANGING)
        await asyncio.sleep(1.2)
        seen = await crowd.come(page, 100, stage.seconds)
    if shown_soon:
        late = [sample for sample in seen.all if sample.at_s > seen.began_s + SHOWN_AFTER_MS / 1000]
        stage.note(contender, f"{allowed}, soon: not served", seen.not_served(), at_most(0))
        limit_ms = max(5, 2 * calm.ms(0.99))
        stage.note(contender, f"{allowed}, soon: longest once shown, ms", Samples(late).ms(1.0), at_most(limit_ms))
    elif allowed == "stale-while-revalidate":
        stage.note(contender, f"{allowed}: not served", seen.not_served(), at_most(0))
        stage.note(contender, f"{allowed}: longest, ms", seen.ms(1.0), at_most(max(5, 2 * calm.ms(0.99))))
    else:
        # Somebody has to ask, and waits; how long is the policy's `read_timeout`.
        stage.note(contender, f"{allowed}: not served, %", 100 * seen.share_not_served())
        stage.note(contender, f"{allowed}: p50, ms", seen.ms(0.5))
