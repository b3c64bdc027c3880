"""Several targets of one upstream, of which one gets into trouble."""

from __future__ import annotations

import asyncio
import math
import time

from checks.storm.cases.trouble import Trouble
from checks.storm.figures import at_most
from checks.storm.load import Ask, Samples, ever_new
from checks.storm.servers import Backend, Contender, Setting, Veneer
from checks.storm.stage import Stage
from devstack.process import port_is_open

RATE = 200.0
TAKES = "takes=0.01"
READ_TIMEOUT_S = 5
FOUND_OUT_S = 15.0
"""Ejected once, a target comes back, and is to be found out each time."""
MENDED_S = 12.0
"""So long the clients go on after the trouble: longer than a target is left out for."""
LOOK_EVERY_S = 0.05


async def one_of_three(stage: Stage, trouble: Trouble) -> None:
    """200 reads a second, none of which can be stored; one of the three is in trouble for a while."""
    async with stage.backends(3) as backends:
        for contender in stage.contenders(backends, Setting(READ_TIMEOUT_S)):
            async with stage.before(backends, contender) as crowd:
                await crowd.come(Ask("calm", ever_new(1), TAKES), RATE, 1)
                seconds = stage.seconds + FOUND_OUT_S
                async with trouble(backends[0]):
                    seen, ejected_s = await asyncio.gather(
                        crowd.come(Ask("get", ever_new(1000), TAKES), RATE, seconds), _ejected_s(contender, seconds)
                    )
                await _mend(backends[0])
                after = await crowd.come(Ask("get", ever_new(100_000), TAKES), RATE, MENDED_S)
            after_s = seen.began_s + 1
            stage.note(contender, "not served in the first second, %", _percent(_within(seen, after_s)))
            stage.note(contender, "not served after it, %", _percent(seen.since(after_s)), at_most(0.1))
            stage.note(contender, "p99 after the first second, ms", seen.since(after_s).ms(0.99))
            stage.note(contender, "ejected after, s", ejected_s - seen.began_s)
            stage.note(contender, "not served after ejection, %", _percent(seen.since(ejected_s)), at_most(0))
            stage.note(contender, "not served after the trouble, %", _percent(after), at_most(0))


async def _mend(backend: Backend) -> None:
    """Be well, and there."""
    if not port_is_open(backend.port):
        await asyncio.to_thread(backend.start)
    await backend.become()


async def _ejected_s(contender: Contender, seconds: float) -> float:
    """When the log said that a target gets nothing; after everything where it did not."""
    until_s = time.perf_counter() + seconds
    while isinstance(contender, Veneer) and time.perf_counter() < until_s:
        text = await asyncio.to_thread(contender.nodes[0].process.log_text)
        if " is ejected" in text or " gets nothing for " in text:
            return time.perf_counter()
        await asyncio.sleep(LOOK_EVERY_S)
    return math.inf


def _within(samples: Samples, until_s: float) -> Samples:
    return Samples([sample for sample in samples.all if sample.at_s < until_s])


def _percent(samples: Samples) -> float:
    return 100 * samples.share_not_served()
