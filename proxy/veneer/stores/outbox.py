"""Events on their way to Redis: in order, many in one call, kept while Redis is away."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

from veneer.core.invalidation import Invalidation
from veneer.redis.script import FAILURES
from veneer.stores.events import Appended
from veneer.stores.log_link import LogLink

logger = logging.getLogger(__name__)
_MAX_EVENTS_AT_ONCE: Final = 256
_MAX_NAMES_AT_ONCE: Final = 20_000
_MAX_CALLS: Final = 16
"""Calls under way at a time."""
_GATHER_S: Final = 0.005
"""What comes so soon after a call has left waits for its answer, to go together with what else comes. Where Redis is
further away than that, nobody waits for the round trip of somebody else."""

OnShared = Callable[[Appended | None], None]
"""Told once where an event stands in the order; None where that was not known in time."""


def nobody(_: Appended | None) -> None:
    """Who need not know where an event stands."""


class _Writer:
    """Who waits for the position of an event until `due_s`, or has it noted whenever it comes."""

    __slots__ = ("due_s", "on_shared")

    def __init__(self, on_shared: OnShared, due_s: float = math.inf) -> None:
        self.on_shared: OnShared | None = on_shared
        self.due_s = due_s

    def tell(self, answer: Appended | None) -> None:
        """Let it go on, once."""
        on_shared, self.on_shared = self.on_shared, None
        if on_shared is not None:
            try:
                on_shared(answer)
            except Exception:
                logger.exception("a writer could not take the place of its event")


class _Queued:
    """An event, and those who wait for its position; `number` grows from one to the next."""

    __slots__ = ("event", "hold_s", "leaves", "number", "strict", "writers")

    def __init__(self, number: int, event: Invalidation, hold_s: float, *, strict: bool) -> None:
        self.number = number
        self.event = event
        self.hold_s = hold_s
        self.strict = strict
        self.leaves = False
        self.writers: list[_Writer] = []

    @property
    def names(self) -> int:
        """How much the event takes: what it names, at least 1."""
        event = self.event
        return max(1, len(event.tags) + len(event.uris) + len(event.uri_prefixes))


class _Batch:
    """What is on its way: the events as they were sent, and who waited for each by then."""

    __slots__ = ("events", "queued", "writers")

    def __init__(self, queued: list[_Queued]) -> None:
        for one in queued:
            one.leaves = True
        self.queued = queued
        self.events = [one.event for one in queued]
        self.writers = [list(one.writers) for one in queued]


class Outbox:
    """Shares what is put into it, whatever becomes of who has put it in.

    It keeps at most `most_names` names; beyond that the last event becomes "everything", which includes what follows.
    A writer waits for at most `patience_s`. `failed` is told when sharing did not work; the events stay until `share`
    is called, or something is added. Calls leave in order; one that has failed is repeated after those that followed
    it, which is as if its events had come later.
    """

    def __init__(
        self, link: LogLink, most_names: int, patience_s: float, failed: Callable[[BaseException], None]
    ) -> None:
        self._link = link
        self._most_names = most_names
        self._patience_s = patience_s
        self._failed = failed
        self._queue: dict[_Queued, None] = {}
        self._last: _Queued | None = None
        self._names = 0
        self._added = 0  # events, since the beginning
        self._calls = 0
        self._left_s = -math.inf
        self._next: asyncio.Handle | None = None
        self._sharers: list[tuple[int, asyncio.Future[None]]] = []
        self._writers: deque[_Writer] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, event: Invalidation, on_shared: OnShared, *, strict: bool, hold_s: float = 0.0) -> None:
        """Have the event shared: what comes in one iteration of the loop, or within _GATHER_S of a call, goes together.

        With `strict` the other nodes will acknowledge it, and its writer waits while Redis is away. Otherwise nobody
        waits: `on_shared` hears where the event stands, however late, and nothing where it became "everything".
        """
        loop = asyncio.get_running_loop()
        queued = self._queued(event, hold_s, strict=strict)
        if strict:
            writer = _Writer(on_shared, loop.time() + self._patience_s)
            queued.writers.append(writer)
            self._writers.append(writer)
            if self._timer is None:
                self._timer = loop.call_at(writer.due_s, self._look)
        elif queued.event is event:  # else it may be one of millions: the log brings it back like another node's
            queued.writers.append(_Writer(on_shared))
        self._send_later(loop)

    @property
    def waits(self) -> bool:
        """Whether events wait to be shared."""
        return bool(self._queue)

    async def share(self) -> None:
        """Share what waits now, whatever comes after it. Raises one of FAILURES; what was not shared stays."""
        if not self._queue:
            return
        shared: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sharers.append((self._added, shared))
        self._send()
        await shared

    async def hand_over(self, within_s: float, retry_s: float) -> bool:
        """Share what waits before the end, for which it waits for Redis at most `within_s`; whether nothing is left."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + within_s
        while True:
            try:
                await self.share()
            except FAILURES as error:
                self._failed(error)
            if not self._queue or loop.time() >= until_s:
                return not self._queue
            await asyncio.sleep(retry_s)

    def abandon(self) -> None:
        """Nothing will be shared any more: let go who waits."""
        for handle in (self._timer, self._next):
            if handle is not None:
                handle.cancel()
        self._timer = self._next = None
        for writer in list(self._writers):
            writer.tell(None)
        self._writers.clear()

    # ------------------------------------------------------------ inside

    def _queued(self, event: Invalidation, hold_s: float, *, strict: bool) -> _Queued:
        """Where the event is queued."""
        queued, last = _Queued(self._added, event, hold_s, strict=strict), self._last
        if last is None or last not in self._queue or self._names + queued.names <= self._most_names:
            self._queue[queued] = None
            self._last = queued
            self._added += 1
            self._names += queued.names
            return queued
        self._names -= last.names - 1
        # An event of its own each time: the one before may be on its way, and be placed too early for this one.
        last.event, last.strict = Invalidation(everything=True), last.strict or strict
        last.hold_s = max(last.hold_s, hold_s)
        return last

    def _send_later(self, loop: asyncio.AbstractEventLoop) -> None:
        """Send what waits at the end of the iteration, or when the last call has been under way for a while."""
        if self._next is None:
            left_s = self._left_s + _GATHER_S - loop.time() if self._calls else 0.0
            self._next = loop.call_later(left_s, self._leave) if left_s > 0 else loop.call_soon(self._leave)

    def _leave(self) -> None:
        self._next = None
        self._send()

    def _send(self) -> None:
        """Send the first events that are not under way."""
        if self._calls >= _MAX_CALLS:
            return
        first = self._first()
        if not first:
            return
        batch = _Batch(first)
        self._calls += 1
        self._left_s = asyncio.get_running_loop().time()
        events = [(queued.event, queued.strict, queued.hold_s) for queued in first]
        self._link.append(events, partial(self._answered, batch))

    def _first(self) -> list[_Queued]:
        """The first events, as many as one call may carry, at least one."""
        first: list[_Queued] = []
        names = 0
        for queued in self._queue:
            if queued.leaves:
                continue
            names += queued.names
            if first and (names > _MAX_NAMES_AT_ONCE or len(first) == _MAX_EVENTS_AT_ONCE):
                break
            first.append(queued)
        return first

    def _answered(self, batch: _Batch, answer: Appended | Exception) -> None:
        """See what became of the batch, send the next, and then tell: who is told may add more."""
        self._calls -= 1
        for queued in batch.queued:
            queued.leaves = False
        if isinstance(answer, Exception):
            self._give_up(answer)
            return
        for number, queued in enumerate(batch.queued):
            if queued.event is batch.events[number]:  # else it has become "everything" meanwhile
                del self._queue[queued]
                self._names -= queued.names
        self._send()
        before, lost = answer.seq - len(batch.queued), answer.lost
        for number, writers in enumerate(batch.writers, 1):
            placed = Appended(answer.epoch, answer.epoch_ms, before + number, answer.live, lost)
            for writer in writers:
                writer.tell(placed)
                lost = ()  # told once
        while self._writers and self._writers[0].on_shared is None:
            self._writers.popleft()
        self._tell_sharers(None)

    def _give_up(self, error: Exception) -> None:
        if self._sharers:
            self._tell_sharers(error)
        else:
            self._failed(error)

    def _tell_sharers(self, error: Exception | None) -> None:
        """Let those go on whose events are shared; with an error all of them."""
        sharers, self._sharers = self._sharers, []
        first = next(iter(self._queue), None)
        until_here = self._added if first is None else first.number
        for until, shared in sharers:
            if shared.done():
                continue
            if error is not None:
                shared.set_exception(error)
            elif until <= until_here:
                shared.set_result(None)
            else:
                self._sharers.append((until, shared))

    def _look(self) -> None:
        """Let go who has waited for too long. All wait equally long, so the first is due first."""
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        writers = self._writers
        while writers and (writers[0].on_shared is None or writers[0].due_s <= now_s):
            writers.popleft().tell(None)
        self._timer = loop.call_at(writers[0].due_s, self._look) if writers else None
