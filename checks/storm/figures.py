"""What a case has measured, and what it has to be at least or at most."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Sense(Enum):
    """Which way a bar bounds."""

    AT_LEAST = ">="
    AT_MOST = "<="


@dataclass(frozen=True, slots=True)
class Bar:
    """What a figure is held to."""

    sense: Sense
    limit: float

    def met(self, value: float) -> bool:
        """Whether the value satisfies it; NaN, nothing measured, never does."""
        return value >= self.limit if self.sense is Sense.AT_LEAST else value <= self.limit


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of one contender; the bar is ours, so that others' figures have none."""

    case: str
    contender: str
    name: str
    value: float
    bar: Bar | None = None

    @property
    def missed(self) -> bool:
        """Whether the figure is not what it has to be."""
        return self.bar is not None and not self.bar.met(self.value)

    def __str__(self) -> str:
        """One line of the table."""
        value = "-" if math.isnan(self.value) else f"{self.value:.4g}"
        bar = "" if self.bar is None else f"{self.bar.sense.value} {self.bar.limit:.4g}"
        verdict = "" if self.bar is None else "MISSED" if self.missed else "met"
        return f"{self.case:<26} {self.contender:<8} {self.name:<46} {value:>10} {bar:>10} {verdict}".rstrip()


def at_most(limit: float) -> Bar:
    """A bar from above."""
    return Bar(Sense.AT_MOST, limit)


def at_least(limit: float) -> Bar:
    """A bar from below."""
    return Bar(Sense.AT_LEAST, limit)


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of them stay within; NaN without any."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else math.nan
