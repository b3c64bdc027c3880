"""Requests that wait for a place at the backend and a connection to it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Final

from veneer.core.concurrency import STALL_S
from veneer.core.overload import Claim, Pace, Priority, StandingQueue, overloaded_wait_s, retry_after_s
from veneer.ports import Clock, Demand, UpstreamError, UpstreamFailure
from veneer.upstream.connection import Connection
from veneer.upstream.gate import Gate, Load, Place
from veneer.upstream.settings import PoolSettings

DROPPED_AT_ONCE: Final = 8
"""Each one refused is half a millisecond of this process."""


class Wanted(Enum):
    """Over which connection a request is to be sent."""

    ANY = "any"
    NEW = "new"
    USED = "used"
    """One that others give back, as the backend closes new ones."""


Line = tuple[str, bool]
"""Those who wait alike: by their route, and whether a new connection will not do."""


class Waiter:
    """One that waits since `since_s`. What it gets is a `place`, and with it a connection or the right to open one."""

    __slots__ = ("claim", "future", "line", "number", "place", "refused", "since_s")

    def __init__(
        self, claim: Claim, wanted: Wanted, future: asyncio.Future[Connection | None], number: int, since_s: float
    ) -> None:
        self.claim: Final = claim
        self.line: Final[Line] = claim.route, wanted is Wanted.USED
        self.future: Final = future
        self.number: Final = number
        self.since_s: Final = since_s
        self.place: Place | None = None
        self.refused = False

    def refuse(self) -> None:
        """It gets nothing."""
        if not self.future.done():
            self.refused = True
            self.future.set_result(None)


class WaitingQueue:
    """Those of one pool: the most urgent first, and among these in order, or while the queue stands the newest first.

    One whose route has its share of places already lets those of others go. A place in the queue ends with the
    client's interest, and after the pool's time-out, or `overloaded_wait_s` while the queue stands. `give_back` takes
    what somebody got who had left, and `serve` lets those go for whom there is a place.
    """

    def __init__(
        self,
        settings: PoolSettings,
        gate: Gate,
        clock: Clock,
        give_back: Callable[[Place, Connection | None], None],
        serve: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._timeout_s = settings.pool_timeout_s
        self._most = settings.concurrency.max_waiting
        self._gate = gate
        self._monotonic = clock.monotonic
        self._give_back = give_back
        self._serve = serve
        self._looker: asyncio.TimerHandle | None = None
        self._lines: list[dict[Line, deque[Waiter]]] = [{} for _ in Priority]
        self._standing = StandingQueue()
        self._refusals = Pace()
        self._number = 0
        self.count = 0
        """How many wait."""
        self.refused = 0
        """How many were refused so far."""

    def load(self, connections: int, most: int, streams: int) -> Load:
        """How the backend stands, with so many connections of `most` and so many streams open."""
        gate = self._gate
        used = (connections, most, streams, self._settings.max_streams)
        return Load(gate.limit, gate.in_use, self.count, self.refused, *used)

    def next(self, now_s: float, *, is_used: bool) -> Waiter | None:
        """Take out whoever is next, if there is a place for it, and a connection that `is_used` or a new one does."""
        self._look(now_s)
        for priority in Priority:
            lines = self._lines[priority]
            while (waiter := self._first(lines, now_s, is_used)) is not None:
                self._remove(waiter)
                if not waiter.future.done():  # else it has left, and does not know yet
                    return waiter
        return None

    def any_before(self, priority: Priority) -> bool:
        """Whether anybody waits who goes before one that comes now."""
        return self.count > 0 and any(self._lines[other] for other in Priority if other <= priority)

    def _first(self, lines: dict[Line, deque[Waiter]], now_s: float, is_used: bool) -> Waiter | None:
        """Who is next of those as urgent, and may go."""
        end = -1 if self._standing.stands else 0
        first = [line[end] for (_, used), line in lines.items() if is_used or not used]
        heads = [waiter for waiter in first if self._gate.admits(waiter.claim, now_s)]
        if not heads:
            return None
        return max(heads, key=_number) if end else min(heads, key=_number)

    async def wait(
        self, claim: Claim, demand: Demand | None, make_room: Callable[[int], None], wanted: Wanted = Wanted.ANY
    ) -> tuple[Place, Connection | None]:
        """A place, and somebody else's connection or None for the right to open one.

        `make_room` is told how many wait. Raises UpstreamError OVERLOADED at once where it is not worth while to wait,
        POOL_TIMEOUT after the time-out, and ABANDONED when nobody waits for the response any more.
        """
        waiter = self._queued(claim, wanted)
        if demand is not None:
            leave = partial(_leave_queue, waiter, demand)
            demand.when_unwanted(leave)
            if not demand.wanted:
                leave()
        make_room(self.count)
        try:
            async with asyncio.timeout(self._may_wait_s()):
                connection = await waiter.future
        except (TimeoutError, asyncio.CancelledError) as error:
            if waiter.place is not None:
                self._give_back(waiter.place, waiter.future.result())
            if isinstance(error, TimeoutError):
                raise self._timed_out() from None
            raise
        finally:
            if demand is not None:
                demand.when_unwanted(None)
            self._remove(waiter)
        if waiter.place is not None:
            return waiter.place, connection
        if waiter.refused:
            raise self._refusal(self._monotonic())
        detail = "the client left before there was a connection to the backend"
        raise UpstreamError(UpstreamFailure.ABANDONED, detail, sent=False)

    def _queued(self, claim: Claim, wanted: Wanted) -> Waiter:
        """One more that waits. Raises UpstreamError OVERLOADED."""
        now_s = self._monotonic()
        if self._gate.reached(claim, now_s):
            self._standing.relieved(now_s)
        self._look(now_s)
        if not self._may_wait(claim):
            raise self._refusal(now_s)
        self._number += 1
        waiter = Waiter(claim, wanted, asyncio.get_running_loop().create_future(), self._number, now_s)
        self._lines[claim.priority].setdefault(waiter.line, deque()).append(waiter)
        self.count += 1
        if self._looker is None:
            self._looker = asyncio.get_running_loop().call_later(STALL_S, self._look_again)
        return waiter

    def _look_again(self) -> None:
        """Where nobody comes and nothing is answered, nothing else would tell that the backend is slow by nature."""
        self._looker = None
        if not self.count:
            return
        now_s = self._monotonic()
        if self._gate.still_reached(now_s):
            self._standing.relieved(now_s)
        self._serve()
        self._looker = asyncio.get_running_loop().call_later(STALL_S, self._look_again)

    def _may_wait(self, claim: Claim) -> bool:
        """Whether there is room; where there is none, the least urgent makes room for what is more urgent.

        Of those alike the newest makes the oldest go while the queue stands. What is in the background waits for
        nobody but its like.
        """
        if not claim.waits:
            return False
        if claim.priority is Priority.BACKGROUND and (self._standing.stands or self._others_wait()):
            return False
        most = self._most
        if self._standing.stands:
            most = min(most, self._gate.limit)
        if self.count < most:
            return True
        for priority in reversed(Priority):
            if priority < claim.priority or (priority == claim.priority and not self._standing.stands):
                return False
            lines = self._lines[priority]
            if lines:
                self._drop(min([line[0] for line in lines.values()], key=_number))
                return True
        return False

    def _others_wait(self) -> bool:
        return bool(self._lines[Priority.CRITICAL] or self._lines[Priority.NORMAL])

    def _look(self, now_s: float) -> None:
        """See whether the queue stands. Once it does, those go who have waited longer than one may then."""
        if self._standing.stands:
            self._standing.observe_pace(self._gate.pace.per_s(now_s), self._refusals.per_s(now_s), now_s)
            return
        if self.count == 0:
            self._standing.relieved(now_s)
            return
        oldest_s = min([line[0].since_s for lines in self._lines for line in lines.values()])
        if self._standing.observe(now_s - oldest_s, now_s):
            self._drop_old()

    def _drop_old(self) -> None:
        """Refuse those who have waited for longer than may be then: few in one turn of the loop, so hits go between."""
        now_s, most_s, left = self._monotonic(), self._may_wait_s(), DROPPED_AT_ONCE
        for lines in self._lines:
            for line in list(lines.values()):
                while line and now_s - line[0].since_s >= most_s:
                    if left == 0:
                        asyncio.get_running_loop().call_soon(self._drop_old)
                        return
                    self._drop(line[0])
                    left -= 1

    def _may_wait_s(self) -> float:
        return overloaded_wait_s(self._gate.calm_s) if self._standing.stands else self._timeout_s

    def _drop(self, waiter: Waiter) -> None:
        self._remove(waiter)
        waiter.refuse()

    def _remove(self, waiter: Waiter) -> None:
        """Take it out if it waits."""
        lines = self._lines[waiter.claim.priority]
        line = lines.get(waiter.line)
        if line is None:
            return
        if line[0] is waiter:
            line.popleft()
        elif line[-1] is waiter:
            line.pop()
        elif waiter in line:
            line.remove(waiter)
        else:
            return
        self.count -= 1
        if not line:
            del lines[waiter.line]

    def _retry_s(self, now_s: float) -> float:
        return retry_after_s(self.count, self._gate.pace.per_s(now_s), self._refusals.per_s(now_s))

    def _refusal(self, now_s: float) -> UpstreamError:
        self.refused += 1
        self._refusals.count(now_s)
        detail = f"{self._gate.in_use} requests are at the backend, and {self.count} wait"
        return UpstreamError(UpstreamFailure.OVERLOADED, detail, sent=False, retry_s=self._retry_s(now_s))

    def _timed_out(self) -> UpstreamError:
        now_s = self._monotonic()
        if self._standing.stands:
            return self._refusal(now_s)
        self.refused += 1
        self._refusals.count(now_s)
        detail = f"{self._gate.in_use} requests were at the backend for {self._timeout_s:g} s"
        return UpstreamError(UpstreamFailure.POOL_TIMEOUT, detail, sent=False, retry_s=self._retry_s(now_s))


def _number(waiter: Waiter) -> int:
    return waiter.number


def _leave_queue(waiter: Waiter, demand: Demand) -> None:
    """Wait no more: nobody wants what would be asked for."""
    if not waiter.future.done():
        demand.dropped = True
        waiter.future.set_result(None)
