"""What one node holds of a shared limit: requests that were counted before they come."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Final, NamedTuple

from mypy_extensions import mypyc_attr

from veneer.core.batches import BatchTerms, wanted
from veneer.core.rate import MICROS, RateLimit, RateVerdict, backlog

_HANDS: Final = 2
"""Old clients looked at for each new one."""


class BatchTicket(NamedTuple):
    """How Redis knows a batch again that is given back (redis/lua/bucket.lua)."""

    whole_at_us: int
    since_us: int
    returned_us: int


@mypyc_attr(acyclic=True)
class Batch:
    """`size` requests counted in Redis, of which `left` may come until `until_s` (monotonic).

    When `low` are left, the next batch is to be asked for; -1 for never.
    """

    __slots__ = ("left", "low", "size", "ticket", "until_s")

    def __init__(self, size: int, left: int, until_s: float, ticket: BatchTicket, *, ahead: bool) -> None:
        self.size = size
        self.left = left
        self.low = left // 2 if ahead and left > 0 else -1
        self.until_s = until_s
        self.ticket = ticket

    def take_unspent(self) -> int:
        """How many were not spent; from now on they cannot be."""
        unspent = self.left
        self.size -= unspent
        self.left = 0
        return unspent


_NONE: Final = Batch(0, 0, 0.0, BatchTicket(0, 0, 0), ahead=False)


class ClientBatches:
    """The batches of one client under one limit: the one that is spent, and the one that was asked for ahead.

    `near` tells that each request has to ask: what is left is too little for batches, or Redis too slow. `asking` is
    the call that will bring the next batch, and `waiting` how many wait for it.
    """

    __slots__ = (
        "_began_s",
        "_current",
        "_last",
        "_next",
        "_whole_at_us",
        "asking",
        "key",
        "limit",
        "near",
        "waiting",
    )

    def __init__(self, key: str, limit: RateLimit) -> None:
        self.key = key
        self.limit = limit
        self.near = False
        self.asking: asyncio.Task[RateVerdict] | None = None
        self.waiting = 0
        self._current = _NONE
        self._next: Batch | None = None
        self._last = 0
        self._began_s = 0.0
        self._whole_at_us = 0  # as if nothing of what is held were counted

    def spend(self, limit: RateLimit, now_s: float) -> RateVerdict | None:
        """Admit one request out of what is held; None where nothing is."""
        batch = self._current
        if batch.left < 1 or now_s >= batch.until_s:
            following = self._following(now_s)
            if following is None:
                return None
            batch = following
        batch.left -= 1
        now_us = int(now_s * MICROS + 0.5)
        waiting_us = backlog(limit, self._whole_at_us, now_us) + limit.interval_us
        self._whole_at_us = now_us + waiting_us
        return RateVerdict(limit, True, waiting_us)

    def is_low(self) -> bool:
        """Whether the next batch is to be asked for now."""
        return self._current.left == self._current.low

    def holds(self, now_s: float) -> bool:
        """Whether anything is held that may be spent."""
        return self.left(now_s) > 0

    def left(self, now_s: float) -> int:
        """How many requests are held."""
        current, following = self._current, self._next
        held = current.left if now_s < current.until_s else 0
        return held if following is None or now_s >= following.until_s else held + following.left

    def wants(self, terms: BatchTerms, now_s: float) -> int:
        """How many to ask for, by the pace since the last batch began."""
        spent = self._current.size - self._current.left
        want = max(wanted(terms, spent, now_s - self._began_s, self._last), self.waiting + 1)
        return min(want, terms.most - self.left(now_s))

    def add(self, batch: Batch, backlog_us: int, now_s: float) -> RateVerdict:
        """Take a batch up; `backlog_us` is Redis' with all of it counted. Returns the verdict of who asked for it."""
        self._last = batch.size
        if not self._current.left or now_s >= self._current.until_s:
            self._begin(batch, now_s)
        elif batch.left:
            self._next = batch
        now_us = int(now_s * MICROS + 0.5)
        waiting_us = max(self.limit.interval_us, backlog_us - self.left(now_s) * self.limit.interval_us)
        self._whole_at_us = now_us + waiting_us
        return RateVerdict(self.limit, True, waiting_us)

    def _following(self, now_s: float) -> Batch | None:
        following = self._next
        if following is None:
            return None
        self._next = None
        if following.left < 1 or now_s >= following.until_s:
            return None
        self._begin(following, now_s)
        return following

    def _begin(self, batch: Batch, now_s: float) -> None:
        self._current = batch
        self._began_s = now_s


class HeldBatches:
    """What this node holds, by client: of at most `most` clients, the longest known that hold nothing leave first."""

    def __init__(self, most: int) -> None:
        self._most = max(1, most)
        self._known: OrderedDict[str, ClientBatches] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, key: str) -> ClientBatches | None:
        """What is held of one client."""
        return self._known.get(key)

    def of(self, key: str, limit: RateLimit, now_s: float) -> ClientBatches:
        """The same, from now on known."""
        held = self._known.get(key)
        if held is None:
            self._make_room(now_s)
            held = self._known[key] = ClientBatches(key, limit)
        return held

    def _make_room(self, now_s: float) -> None:
        known = self._known
        if len(known) < self._most:
            return
        for _ in range(_HANDS):
            key, held = known.popitem(last=False)
            if not held.holds(now_s):
                return
            known[key] = held
        known.popitem(last=False)
