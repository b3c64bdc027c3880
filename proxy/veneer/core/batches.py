"""Batches: how many requests of a shared limit a node takes at once, and for how long it may admit them.

What is taken is counted before it is spent, so nodes together never admit more than was counted; but what they admit
may come up to one life later than it was counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from veneer.core.rate import Accuracy, RateLimit

_LIFE_S: Final = 0.5
_LEASED_LIFE_S: Final = 1.0
_SHARES_A_NODE: Final = 4
_FIRST: Final = 4
"""What a client gets of whom nothing is known: a page and what belongs to it."""
_GROWTH: Final = 4
"""The next batch is at most so many times the last: a burst is no rate yet."""
_UNBOUNDED: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class BatchTerms:
    """How a limit is taken in batches.

    A batch is spent within `life_s` of being asked for, is at most the `shares`th part of what is left, and with what
    its node holds already at most `most`. Where it `adapts`, it follows the client's pace, the next one is asked for
    ahead, and what is not spent is given back.
    """

    life_s: float
    shares: int
    most: int
    adapts: bool = True


def terms_of(limit: RateLimit, nodes: int) -> BatchTerms:
    """The terms for one of `nodes` nodes.

    A life is at most the hundredth part of a long window, so what comes late is at most 1 % of the quota. Short windows
    would leave no time to spend anything: there a life is up to half of it, and all nodes together hold at most half of
    1 % of quota and burst (1 % while their number doubles).
    """
    nodes = max(1, nodes)
    match limit.accuracy:
        case Accuracy.EXACT:
            return BatchTerms(0.0, 1, 1, adapts=False)
        case Accuracy.LEASED:
            return BatchTerms(_LEASED_LIFE_S, 1, max(1, limit.burst // 10), adapts=False)
        case _:
            life_s = min(_LIFE_S, limit.window_s / 2)
            short = life_s * 100 > limit.window_s
            most = (limit.quota + limit.burst) // (200 * nodes) if short else _UNBOUNDED
            return BatchTerms(life_s, _SHARES_A_NODE * nodes, max(1, most))


def wanted(terms: BatchTerms, spent: int, elapsed_s: float, last: int) -> int:
    """How many to ask for when `spent` requests came in `elapsed_s` out of the `last` batch (0 where there was none).

    Half of what the client would send in one life: so a batch is spent before it expires, and the one that is asked for
    at its half has come by then.
    """
    if not terms.adapts:
        return terms.most
    if last < 1:
        return min(terms.most, _FIRST)
    most = min(terms.most, last * _GROWTH)
    if elapsed_s * most * 2 <= spent * terms.life_s:
        return most
    return max(1, int(spent / elapsed_s * terms.life_s / 2 + 0.999))
