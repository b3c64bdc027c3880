"""Rate arithmetic: GCRA (ITU-T I.371), the exact form of a token bucket with one number of state.

The state of a client is the moment at which its bucket is whole again; the time from now until then is its *backlog*.
Each admitted request adds one *interval* (window / quota) to it, and a request is admitted while the backlog is at most
the *tolerance*, (burst - 1) intervals. All of it is whole microseconds, so that the arithmetic is exact and the same
here and in Redis. An interval is rounded up: never more than the quota is admitted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

MICROS = 1_000_000
"""Microseconds in a second."""

_MAX_TOLERANCE_US = 2**52
"""Keeps clock + backlog within the integers that Redis' Lua numbers (doubles) hold exactly, for a century or so."""


class StoreLoss(Enum):
    """What a limit does while the shared store is away."""

    LOCAL_SHARE = "local_share"  # each node admits its part: the limit divided by the live nodes
    OPEN = "open"  # everything is admitted
    CLOSED = "closed"  # nothing is admitted


class Accuracy(Enum):
    """How nodes share a limit."""

    EXACT = "exact"  # every request is counted in the shared store
    LEASED = "leased"  # a node takes `batch` at once; what it took may come a lease later than it was counted


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`quota` requests in `window_s` seconds, of which `burst` may come at once (burst >= 1).

    `key` names the numbers as well as the limit: a changed limit starts from fresh state everywhere.
    Raises ValueError on numbers that no bucket can hold.
    """

    name: str
    quota: int
    window_s: float
    burst: int
    on_store_loss: StoreLoss = StoreLoss.LOCAL_SHARE
    accuracy: Accuracy = Accuracy.EXACT
    interval_us: int = field(init=False)
    tolerance_us: int = field(init=False)
    key: str = field(init=False)

    def __post_init__(self) -> None:
        window_us = round(self.window_s * MICROS)
        interval_us = -(-window_us // max(1, self.quota))
        wrong = None
        if self.quota < 1 or self.burst < 1:
            wrong = "quota and burst must be at least 1"
        elif self.quota > window_us or interval_us * self.burst > _MAX_TOLERANCE_US:
            wrong = f"{self.quota} per {self.window_s:g} s with a burst of {self.burst} is out of range"
        elif not (self.name.isascii() and self.name.isprintable()):
            wrong = "a name goes into a header field, so it must be printable ASCII"
        if wrong is not None:
            msg = f"limit {self.name!r}: {wrong}"
            raise ValueError(msg)
        object.__setattr__(self, "interval_us", interval_us)
        object.__setattr__(self, "tolerance_us", interval_us * (self.burst - 1))
        object.__setattr__(self, "key", f"{self.name}:{interval_us}:{self.burst}")

    @property
    def batch(self) -> int:
        """Requests a node takes from the shared store at once: one, or a tenth of the burst where leased."""
        return 1 if self.accuracy is Accuracy.EXACT else max(1, self.burst // 10)

    def share(self, nodes: int) -> RateLimit:
        """The part of this limit that one of `nodes` may admit on its own; never less than a burst of 1."""
        nodes = max(1, nodes)
        return RateLimit(self.name, self.quota, self.window_s * nodes, max(1, self.burst // nodes), self.on_store_loss)


# A NamedTuple: one is made for every request.
class RateVerdict(NamedTuple):
    """The answer for one request. `remaining` more may come now; `reset_s` until the quota is whole again.

    `retry_after_s` is exact: a request then, and none before it, is admitted (0 when this one was).
    """

    limit: RateLimit
    allowed: bool
    remaining: int
    retry_after_s: float
    reset_s: float


def backlog(limit: RateLimit, whole_at_us: int, now_us: int) -> int:
    """Microseconds until the bucket is whole again, from stored state.

    State that no history can have produced (a clock that stepped back, a foreign value) counts as the fullest there is.
    """
    return min(max(0, whole_at_us - now_us), limit.tolerance_us + limit.interval_us)


def grants(limit: RateLimit, backlog_us: int, most: int = 1) -> int:
    """How many of `most` requests may come at once on top of `backlog_us`; each grant adds one interval to it."""
    spare_us = limit.tolerance_us - backlog_us
    return 0 if spare_us < 0 else min(most, spare_us // limit.interval_us + 1)


def verdict(limit: RateLimit, backlog_us: int, *, allowed: bool) -> RateVerdict:
    """The answer, from the backlog *after* the decision (an admitted request has been added to it)."""
    over_us = backlog_us - limit.tolerance_us
    return RateVerdict(
        limit,
        allowed,
        0 if over_us > 0 else -over_us // limit.interval_us + 1,
        0.0 if allowed else max(0, over_us) / MICROS,
        backlog_us / MICROS,
    )


def _whole_seconds_up(seconds: float) -> int:
    """Seconds rounded up to the next whole one; a microsecond's error of a float does not cost a second."""
    return max(0, -(-round(seconds * MICROS) // MICROS))


def policy_field(limit: RateLimit) -> str:
    """The value of RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-11 section 3)."""
    return f"{_quoted(limit.name)};q={limit.quota};w={_whole_seconds_up(limit.window_s)}"


def limit_field(answer: RateVerdict) -> str:
    """The value of RateLimit (draft-ietf-httpapi-ratelimit-headers-11 section 4).

    `r` is what may come now, so the burst bounds it; `t` is until one may come (refused) or the whole burst (not).
    """
    wait_s = answer.reset_s if answer.allowed else answer.retry_after_s
    return f"{_quoted(answer.limit.name)};r={answer.remaining};t={_whole_seconds_up(wait_s)}"


def retry_after_field(answer: RateVerdict) -> str:
    """The value of Retry-After (RFC 9110 section 10.2.3): whole seconds, rounded up, at least 1."""
    return str(max(1, _whole_seconds_up(answer.retry_after_s)))


def _quoted(name: str) -> str:
    """A structured-fields string (RFC 9651 section 3.3.3)."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
