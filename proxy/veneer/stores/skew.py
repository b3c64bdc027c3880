"""This node's clock against Redis', by which the ages of shared entries are computed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from veneer.core.entry import Entry

logger = logging.getLogger(__name__)

AGREES_S: Final = 0.1
"""Less is no skew: ages are told in whole seconds."""

WARNED_FROM_S: Final = 1.0
"""A skew that is worth a line in the log; below half of it there is another line."""


class ClockSkew:
    """Measured with each renewal of the lease, which tells Redis' TIME. `now` is the date at `node`.

    Redis has read its clock at some moment between question and answer, so the skew lies between two values. In Redis
    entries have the moments of its clock. Where the two clocks differ, an entry is made to seem as old as it may be
    on its way there, and once more on its way back: it never lives longer than it should.
    """

    def __init__(self, now: Callable[[], float], node: str = "") -> None:
        self.now = now
        self.node = node
        self._least_s = self._most_s = 0.0
        self._warned = False

    @property
    def skew_s(self) -> float:
        """By how much this node's clock is ahead of Redis'; negative where it is behind."""
        return (self._least_s + self._most_s) / 2

    def measured(self, sent_s: float, redis_ms: int, received_s: float) -> None:
        """Redis' clock stood at `redis_ms` between these two moments of this one."""
        if received_s < sent_s:
            return  # this clock was set back meanwhile
        least_s, most_s = sent_s - (redis_ms + 1) / 1000, received_s - redis_ms / 1000
        agrees = least_s <= AGREES_S and most_s >= -AGREES_S
        self._least_s, self._most_s = (0.0, 0.0) if agrees else (least_s, most_s)
        self._tell()

    def as_in_redis(self, entry: Entry) -> Entry:
        """An entry of this node with the moments of Redis' clock."""
        return self._moved(entry, -self._most_s)

    def as_here(self, entry: Entry) -> Entry:
        """An entry from Redis with the moments of this node's clock."""
        return self._moved(entry, self._least_s)

    def _moved(self, entry: Entry, by_s: float) -> Entry:
        if not by_s:
            return entry
        return replace(entry, request_time=entry.request_time + by_s, response_time=entry.response_time + by_s)

    def _tell(self) -> None:
        skew_s = self.skew_s
        if not self._warned and abs(skew_s) >= WARNED_FROM_S:
            self._warned = True
            which = "ahead of" if skew_s > 0 else "behind"
            logger.warning(
                "this node's clock is %.1f s %s Redis'; ages of shared responses are computed by Redis' clock, "
                "but dates and lifetimes of tokens are judged by this one: set it",
                abs(skew_s),
                which,
            )
        elif self._warned and abs(skew_s) < WARNED_FROM_S / 2:
            self._warned = False
            logger.info("this node's clock agrees with Redis' again")
