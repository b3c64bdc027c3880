"""Everything one run measured, and the ratios in it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import msgspec

from benchmarks.peers.growth import Growth
from benchmarks.peers.idle import Idle
from benchmarks.peers.latency import Latency
from benchmarks.peers.run import Line, Outcome
from benchmarks.peers.wrk import Window


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """One run. Parts that were not asked for or could not be measured are None; `missing` and `failed` say why."""

    conditions: dict[str, str]
    missing: list[str]
    failed: list[str]
    outcomes: list[Outcome]
    latency: Latency | None = None
    idle: list[Idle] | None = None
    growth: Growth | None = None

    def line(self, case: str, label: str) -> Line | None:
        """A contender in a case, where both were measured."""
        found = (outcome for outcome in self.outcomes if outcome.key == case)
        return next((line for outcome in found for line in outcome.lines if line.label == label and line.windows), None)


class Spread(msgspec.Struct, frozen=True):
    """The median of some rounds, and the least and the most of them."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of at least one value."""
        return cls(statistics.median(values), min(values), max(values))


def speed_ratio(ours: Sequence[Window], theirs: Sequence[Window]) -> Spread:
    """Our requests per second to theirs, round by round."""
    return Spread.of([a.per_second / b.per_second for a, b in zip(ours, theirs, strict=True)])


def cost_ratio(ours: Sequence[Window], theirs: Sequence[Window]) -> Spread:
    """Their processor time for a request to ours, round by round: above one, ours is cheaper."""
    return Spread.of([b.cpu_us / max(a.cpu_us, 0.01) for a, b in zip(ours, theirs, strict=True)])
