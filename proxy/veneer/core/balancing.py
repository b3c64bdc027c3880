"""Which of several targets gets a request, and which gets none for a while.

Pure: `now` is a monotonic reading in seconds, random numbers are arguments in [0, 1).

* Power of two choices (Mitzenmacher, 2001): of two targets taken at random the one with less load. Load is latency
  times requests under way, as Finagle's Peak EWMA counts it: the latency rises at once to what was seen, and falls
  slowly. How long a target that owes answers has been silent counts as a latency too, so that one that hangs gets no
  more than a few requests before any of them has failed.
* Targets may have weights, and those of a less important rank get nothing while one of a better rank may (RFC 2782).
* Passive ejection (Envoy's outlier detection): failures in a row, failures far more often than the others, or silence
  while others answer (`core.silence`).
* A target that says itself for how long it is busy rests so long (Retry-After, RFC 9110 section 10.2.3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp
from typing import Final

from veneer.core import affinity
from veneer.core.affinity import AffinityRules
from veneer.core.dates import parse_date
from veneer.core.fields import Fields
from veneer.core.silence import MISSES, Silence, may_find_out

DECAY_S: Final = 1.0
"""In so long a latency that is not seen again falls to 1/e of what it was."""
SETTLES: Final = 0.2
"""By this share of the difference a latency falls with each answer that was quicker."""
NOISE: Final = 0.6
"""Less than this share of another's load is less: one request more tells, and chance does not."""
FLOOR_S: Final = 0.000_1
"""Latencies below this are alike."""
FAILURE_S: Final = 1.0
"""As so long a latency a failure counts."""
SLOW_START: Final = 0.1
"""With this share of its turn a target begins that comes back."""
WINDOW_S: Final = 10.0
"""After so long what was counted of successes and failures counts half."""
MIN_EXCHANGES: Final = 20
"""With fewer exchanges in the window nothing is concluded from their success."""
OUTLIER_SHARE: Final = 0.3
"""A target is an outlier that fails so much more often than the others together."""


MOST_REST_S: Final = 30.0
"""No target is believed that it is busy for longer."""


@dataclass(frozen=True, slots=True)
class EjectionRules:
    """When a target is ejected, for how long, and how many at most.

    `failures` in a row eject, for `base_s`, doubled with each ejection that follows within `longest_s` of the last, up
    to `longest_s`. At most `share` of the targets are out at once, but always one may be. `slow_start_s` is how long
    one that comes back takes to its full turn.
    """

    failures: int = 5
    base_s: float = 5.0
    longest_s: float = 300.0
    share: float = 0.5
    slow_start_s: float = 10.0


class TargetLoad:
    """What is known of one target. `ejected_until` is None while it is in; it `rests` where it has asked for that.

    It has a `weight`, which among others makes its `share` (`share_out`), and gets requests only where none of a lower
    `rank` may have any.
    """

    __slots__ = (
        "_heard_s",
        "_latency_at",
        "_latency_s",
        "_sent_s",
        "_window_s",
        "back_s",
        "bad",
        "ejected_until",
        "ejections",
        "failures",
        "good",
        "in_flight",
        "number",
        "rank",
        "rests",
        "share",
        "silence",
        "weight",
    )

    def __init__(self, weight: int = 1, rank: int = 0) -> None:
        self.number = 0  # by which it is sought, where affinity is asked for
        self.weight = weight
        self.share = 1.0
        self.rank = rank
        self.in_flight = 0
        self.failures = 0
        self.good = self.bad = 0.0
        self.ejected_until: float | None = None
        self.rests = False
        self.silence = Silence()
        self.ejections = 0
        self.back_s: float | None = None
        self._latency_s = self._latency_at = self._heard_s = self._sent_s = self._window_s = 0.0

    def begun(self, now: float) -> None:
        """A request is sent there."""
        if self.in_flight == 0:
            self._heard_s = now
        self._sent_s = now
        self.in_flight += 1

    def ended(self) -> None:
        """It is under way no more, however it went."""
        self.in_flight -= 1

    @property
    def ready(self) -> bool:
        """Whether it is trusted and owes nothing that was sent since it was heard: who asked it would be answered."""
        return self.silence.trusted and (self.in_flight == 0 or self._sent_s <= self.silence.heard_s)

    def succeeded(self, now: float, latency_s: float) -> None:
        """An answer has come after so long."""
        self._heard_s = now
        self.silence.heard(now)
        self.failures = 0
        self._age(now)
        self.good += 1.0
        old = self._decayed(now, latency_s)
        self._latency_s = latency_s if latency_s >= old else old + (latency_s - old) * SETTLES
        self._latency_at = now

    def failed(self, now: float) -> None:
        """No answer has come. That counts as a long one: a target that fails at once would look quick."""
        self._latency_s = max(self._decayed(now, FLOOR_S), FAILURE_S)
        self._latency_at = now
        self.failures += 1
        self._age(now)
        self.bad += 1.0

    def load(self, now: float, slow_start_s: float) -> float:
        """How long, about, one more request would take; of those under way its share is its due."""
        expected = max(self._decayed(now, FLOOR_S), FLOOR_S)
        if self.in_flight:
            expected = max(expected, now - self._heard_s)
        load = expected * (self.in_flight / self.share + 1)
        if self.back_s is not None and now - self.back_s < slow_start_s:
            load /= max((now - self.back_s) / slow_start_s, SLOW_START)
        return load

    def _decayed(self, now: float, towards_s: float) -> float:
        weight = exp((self._latency_at - now) / DECAY_S)
        return self._latency_s * weight + towards_s * (1.0 - weight)

    def _age(self, now: float) -> None:
        if now - self._window_s >= WINDOW_S:
            halved = 0.5 if now - self._window_s < 2 * WINDOW_S else 0.0
            self.good *= halved
            self.bad *= halved
            self._window_s = now


@dataclass(frozen=True, slots=True)
class Sought:
    """A request whose key says which target it is for."""

    key: int
    rules: AffinityRules


def choose(loads: Sequence[TargetLoad], now: float, slow_start_s: float, first: float, second: float) -> int:
    """Which of the targets, of which there is at least one, gets a request: by two random numbers."""
    count = len(loads)
    one = int(first * count)
    if count == 1:
        return one
    other = int(second * (count - 1))
    if other >= one:
        other += 1
    share = loads[0].share
    if not all(load.share == share for load in loads):
        one = _by_weight(loads, first, -1)
        other = _by_weight(loads, second, one)
    less = loads[other].load(now, slow_start_s) < loads[one].load(now, slow_start_s) * NOISE
    return other if less else one


def _by_weight(loads: Sequence[TargetLoad], number: float, without: int) -> int:
    """One of them but `without`, each as likely as its share says."""
    left = number * sum([load.share for index, load in enumerate(loads) if index != without])
    last = 0
    for index, load in enumerate(loads):
        if index == without:
            continue
        last = index
        left -= load.share
        if left < 0:
            break
    return last


def share_out(loads: Sequence[TargetLoad]) -> None:
    """Give each of them its share: its weight, as a multiple of the mean."""
    for load in loads:
        load.share = load.weight * len(loads) / sum([other.weight for other in loads])


def best_ranked(loads: Sequence[TargetLoad], able: Sequence[int]) -> list[int]:
    """Those of the targets that are `able` and of the most important rank among them."""
    rank = min([loads[index].rank for index in able])
    return [index for index in able if loads[index].rank == rank]


def pick(
    loads: Sequence[TargetLoad],
    able: Sequence[int],
    kind: str | None,
    now: float,
    rules: EjectionRules,
    chance: Callable[[], float],
    sought: Sought | None = None,
) -> tuple[int, bool]:
    """Which of those that are `able` gets a request, and whether that is to find out if it hangs.

    `kind` is that of a safe request, which another target may be asked for as well; None for one that is not.
    """
    if all(loads[index].silence.trusted for index in able):
        return _choose_of(loads, able, now, rules, chance, sought), False
    if kind is not None:
        for index in able:
            others = [load.silence for load in loads if load is not loads[index]]
            if may_find_out(loads[index].silence, others, kind, now):
                return index, True
    good = [index for index in able if not loads[index].silence.suspected(now)]
    return _choose_of(loads, good or able, now, rules, chance, sought), False


def _choose_of(
    loads: Sequence[TargetLoad],
    able: Sequence[int],
    now: float,
    rules: EjectionRules,
    chance: Callable[[], float],
    sought: Sought | None,
) -> int:
    if sought is not None:
        some = [loads[index] for index in able]
        shares, in_flight = [load.share for load in some], [load.in_flight for load in some]
        numbers = [load.number for load in some]
        return able[affinity.choose(numbers, shares, in_flight, sought.key, sought.rules.balance_factor)]
    return able[choose([loads[index] for index in able], now, rules.slow_start_s, chance(), chance())]


def should_eject(load: TargetLoad, others: Sequence[TargetLoad], rules: EjectionRules) -> bool:
    """Whether a target that has just failed should get nothing for a while, and may be left out."""
    if not _may_be_out(load, others, rules):
        return False
    hangs = load.silence.missed >= min(MISSES, rules.failures)
    return hangs or load.failures >= rules.failures or _is_outlier(load, others)


def _may_be_out(load: TargetLoad, others: Sequence[TargetLoad], rules: EjectionRules) -> bool:
    """Whether a target that is in may be left out."""
    if load.ejected_until is not None or not others:
        return False
    out = sum(other.ejected_until is not None for other in others)
    return out + 1 <= max(1, int(rules.share * (len(others) + 1)))


def _is_outlier(load: TargetLoad, others: Sequence[TargetLoad]) -> bool:
    good, bad = sum(other.good for other in others), sum(other.bad for other in others)
    if load.good + load.bad < MIN_EXCHANGES or good + bad < MIN_EXCHANGES:
        return False
    return load.bad / (load.good + load.bad) >= bad / (good + bad) + OUTLIER_SHARE


def asked_rest_s(fields: Fields, wall_s: float) -> float | None:
    """How long the sender of these fields wants to be left alone (RFC 9110 section 10.2.3); None where it says nothing.

    `wall_s` is now in seconds since the epoch.
    """
    text = fields.joined.get("retry-after")
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return float(text[:9])
    moment = parse_date(text, wall_s)
    return None if moment is None else max(moment - wall_s, 0.0)


def rest(load: TargetLoad, others: Sequence[TargetLoad], retry_s: float, now: float, rules: EjectionRules) -> bool:
    """Leave a target out for as long as it has asked for, at most MOST_REST_S; whether that may be."""
    if not _may_be_out(load, others, rules):
        return False
    load.ejected_until = now + min(retry_s, MOST_REST_S)
    load.rests = True
    return True


def eject(load: TargetLoad, now: float, rules: EjectionRules) -> None:
    """Leave a target out, or leave it out for longer."""
    if load.back_s is not None and load.ejected_until is None and now - load.back_s >= rules.longest_s:
        load.ejections = 0
    load.ejected_until = now + min(rules.base_s * 2.0 ** min(load.ejections, 30), rules.longest_s)
    load.ejections += 1


def readmit(load: TargetLoad, now: float) -> None:
    """Let a target have requests again, few at first."""
    load.ejected_until = None
    load.rests = False
    load.failures = 0
    load.silence.returned(now)
    load.good = load.bad = 0.0
    load.back_s = now
