"""Requests that wait for a connection to the backend while all are in use."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial

from veneer.ports import Demand, UpstreamError, UpstreamFailure
from veneer.upstream.connection import Connection


class WaitingQueue:
    """Those of one pool, first in, first out.

    A place in it ends with the client's interest, and after the pool's time-out.
    """

    def __init__(self, timeout_s: float, limit: int, hand_back: Callable[[Connection | None], None]) -> None:
        self._timeout_s = timeout_s
        self._limit = limit
        self._hand_back = hand_back
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def hand(self, connection: Connection | None) -> bool:
        """Pass a connection, or with None the right to open one, to whoever is next: whether anybody waits."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return True
        return False

    async def wait(self, demand: Demand | None, make_room: Callable[[int], None]) -> Connection | None:
        """Somebody else's connection, or None for the right to open one; `make_room` is told how many wait.

        Raises UpstreamError POOL_TIMEOUT, and ABANDONED when nobody waits for the response any more.
        """
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        if demand is not None:
            leave = partial(_leave_queue, waiter, demand)
            demand.when_unwanted(leave)
            if not demand.wanted:
                leave()
        self._waiting.append(waiter)
        make_room(len(self._waiting))
        try:
            async with asyncio.timeout(self._timeout_s):
                connection = await waiter
        except (TimeoutError, asyncio.CancelledError) as error:
            if waiter.done() and not waiter.cancelled() and not _was_dropped(demand):
                self._hand_back(waiter.result())
            if isinstance(error, TimeoutError):
                detail = f"all {self._limit} connections were in use for {self._timeout_s:g} s"
                raise UpstreamError(UpstreamFailure.POOL_TIMEOUT, detail, sent=False) from None
            raise
        finally:
            if demand is not None:
                demand.when_unwanted(None)
            if waiter in self._waiting:
                self._waiting.remove(waiter)
        if _was_dropped(demand):
            detail = "the client left before there was a connection to the backend"
            raise UpstreamError(UpstreamFailure.ABANDONED, detail, sent=False)
        return connection


def _leave_queue(waiter: asyncio.Future[Connection | None], demand: Demand) -> None:
    """Wait no more for a connection: nobody wants what would be asked for."""
    if not waiter.done():
        demand.dropped = True
        waiter.set_result(None)


def _was_dropped(demand: Demand | None) -> bool:
    return demand is not None and demand.dropped
