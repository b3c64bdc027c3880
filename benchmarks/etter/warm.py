"""Fill the proxy's cache before the load, as an operator does after a deployment: from an access log of another day.

The log is drawn from the same mix with another random source, so no request of the measured run is known beforehand.
Its length is what 500 requests a second bring in five minutes, the shortest lifetime of what Etter lets be shared: a
cache that has been running for long holds about this much.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from benchmarks.etter.mix import SHARED_BY_ALL, Mix, Person
from veneer.warming.sources import WarmTarget
from veneer.warming.warmer import RequestRate, warm

LOGGED = 150_000
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Job:
    """Targets to ask for on behalf of one company, the most frequent first."""

    fields: dict[str, str]
    targets: list[WarmTarget]


def jobs(mix: Mix, people: Sequence[Person], random: Random, logged: int = LOGGED) -> list[Job]:
    """Draw the log and sort its targets by company, the busiest company first; what all share is asked for once."""
    counted: defaultdict[int | None, Counter[str]] = defaultdict(Counter)
    speakers: dict[int | None, Person] = {None: people[0]}
    for _ in range(logged):
        person = random.choice(people)
        request = mix.draw(person, random)
        if request.method == "GET" and not request.is_personal:
            company = None if request.route in SHARED_BY_ALL else person.company_id
            counted[company][request.path] += 1
            speakers.setdefault(company, person)
    busiest = sorted(counted, key=lambda company: -counted[company].total())
    return [Job(speakers[one].headers, [WarmTarget(path) for path, _ in counted[one].most_common()]) for one in busiest]


def fill(proxy: str, wanted: Sequence[Job], most_seconds: float) -> tuple[int, float]:
    """Ask for everything, or as much as the time allows; return how many targets were asked for, and the seconds."""
    return asyncio.run(_fill(proxy, wanted, most_seconds))


async def _fill(proxy: str, wanted: Sequence[Job], most_seconds: float) -> tuple[int, float]:
    began = time.perf_counter()
    done = 0
    for job in wanted:
        if time.perf_counter() - began > most_seconds:
            break
        report = await warm(job.targets, proxy, job.fields, RequestRate(AT_ONCE))
        done += report.stored + report.present
    return done, time.perf_counter() - began
