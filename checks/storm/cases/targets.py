"""Several targets of one upstream, of which one gets into trouble."""

from __future__ import annotations

from checks.storm.cases.trouble import Trouble
from checks.storm.figures import at_most
from checks.storm.load import Ask, Samples, ever_new
from checks.storm.servers import Setting
from checks.storm.stage import Stage

RATE = 200.0
TAKES = "takes=0.01"
EJECTION_S = 4.0
"""By then the target must have been found out."""


async def one_of_three(stage: Stage, trouble: Trouble) -> None:
    """200 reads a second, none of which can be stored; one of the three is in trouble from the first second on."""
    async with stage.backends(3) as backends:
        for contender in stage.contenders(backends, Setting(read_timeout_s=5)):
            async with stage.before(backends, contender) as crowd:
                await crowd.come(Ask("calm", ever_new(1), TAKES), RATE, 1)
                async with trouble(backends[0]):
                    seen = await crowd.come(Ask("get", ever_new(1000), TAKES), RATE, stage.seconds + EJECTION_S)
            after_s = seen.began_s + 1
            stage.note(contender, "not served in the first second, %", _percent(_within(seen, after_s)))
            stage.note(contender, "not served after it, %", _percent(seen.since(after_s)), at_most(0.1))
            ejected = seen.since(seen.began_s + EJECTION_S)
            stage.note(contender, f"not served after {EJECTION_S:g} s", ejected.not_served(), at_most(0))
            stage.note(contender, "p99 after the first second, ms", seen.since(after_s).ms(0.99))


def _within(samples: Samples, until_s: float) -> Samples:
    return Samples([sample for sample in samples.all if sample.at_s < until_s])


def _percent(samples: Samples) -> float:
    return 100 * samples.share_not_served()
