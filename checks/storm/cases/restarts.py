"""Backends that are deployed anew, crash, come and go."""

from __future__ import annotations

import asyncio

from checks.storm.figures import Bar, at_most
from checks.storm.load import Ask, Samples, ever_new
from checks.storm.servers import Backend, Setting, Veneer
from checks.storm.stage import Stage

GETS, POSTS = 150.0, 50.0
APART_S = 2.0 + 0.618 / POSTS
"""Each time at another moment between two writes. At a whole number of them each restart would meet one under way."""


async def restarts(stage: Stage, *, graceful: bool) -> None:
    """The backend is restarted again and again under 200 requests a second, none of which can be stored.

    Writes must not fail more often than through HAProxy; where that is not there, they have no bar.
    """
    failed: dict[str, float] = {}
    async with stage.backends() as (backend,):
        for contender in reversed(stage.contenders([backend], Setting())):
            async with stage.before([backend], contender) as crowd:
                reads, writes, _ = await asyncio.gather(
                    crowd.come(Ask("get", ever_new(1000)), GETS, stage.seconds),
                    crowd.come(Ask("post", ever_new(1000), method="POST"), POSTS, stage.seconds),
                    _restart(backend, stage.seconds, graceful=graceful),
                )
            failed[contender.name] = _per_thousand(writes)
            other = failed.get("haproxy")
            bar: Bar | None = None if other is None or not isinstance(contender, Veneer) else at_most(other)
            stage.note(contender, "GET not served, per 1,000", _per_thousand(reads), at_most(0) if graceful else None)
            stage.note(contender, "POST not served, per 1,000", _per_thousand(writes), bar)
            stage.note(contender, "GET p99, ms", reads.ms(0.99))


async def _restart(backend: Backend, seconds: float, *, graceful: bool) -> None:
    for _ in range(max(1, int(seconds / APART_S) - 1)):
        await asyncio.sleep(APART_S)
        if graceful:
            backend.restart()
        else:
            backend.crash()


def _per_thousand(samples: Samples) -> float:
    return 1000 * samples.share_not_served()
