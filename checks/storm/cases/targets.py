"""Several targets of one upstream, of which one gets into trouble."""

from __future__ import annotations

import asyncio
import math
import time

from checks.storm.cases.trouble import Trouble
from checks.storm.figures import at_most
from checks.storm.load import Ask, Samples, ever_new
from checks.storm.servers import Contender, Setting, Veneer
from checks.storm.stage import Stage

RATE = 200.0
TAKES = "takes=0.01"
READ_TIMEOUT_S = 5
FOUND_OUT_S = 15.0
"""A target that hangs fails each time only after READ_TIMEOUT_S, and must have failed some times to be ejected."""
LOOK_EVERY_S = 0.05


async def one_of_three(stage: Stage, trouble: Trouble) -> None:
    """200 reads a second, none of which can be stored; one of the three is in trouble from the first second on."""
    async with stage.backends(3) as backends:
        for contender in stage.contenders(backends, Setting(READ_TIMEOUT_S)):
            async with stage.before(backends, contender) as crowd:
                await crowd.come(Ask("calm", ever_new(1), TAKES), RATE, 1)
                seconds = stage.seconds + FOUND_OUT_S
                async with trouble(backends[0]):
                    seen, ejected_s = await asyncio.gather(
                        crowd.come(Ask("get", ever_new(1000), TAKES), RATE, seconds), _ejected_s(contender, seconds)
                    )
            after_s = seen.began_s + 1
            stage.note(contender, "not served in the first second, %", _percent(_within(seen, after_s)))
            stage.note(contender, "not served after it, %", _percent(seen.since(after_s)), at_most(0.1))
            stage.note(contender, "p99 after the first second, ms", seen.since(after_s).ms(0.99))
            stage.note(contender, "ejected after, s", ejected_s - seen.began_s)
            stage.note(contender, "not served after ejection, %", _percent(seen.since(ejected_s)), at_most(0))


async def _ejected_s(contender: Contender, seconds: float) -> float:
    """When the log said that a target is ejected; after everything where it did not."""
    until_s = time.perf_counter() + seconds
    while isinstance(contender, Veneer) and time.perf_counter() < until_s:
        if " is ejected" in await asyncio.to_thread(contender.nodes[0].process.log_text):
            return time.perf_counter()
        await asyncio.sleep(LOOK_EVERY_S)
    return math.inf


def _within(samples: Samples, until_s: float) -> Samples:
    return Samples([sample for sample in samples.all if sample.at_s < until_s])


def _percent(samples: Samples) -> float:
    return 100 * samples.share_not_served()
