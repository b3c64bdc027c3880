"""Events on their way to Redis: in order, many in one call, kept while Redis is away."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from veneer.core.invalidation import Invalidation
from veneer.loop.tasks import Tasks
from veneer.redis.script import FAILURES
from veneer.stores.events import Appended
from veneer.stores.log_link import LogLink

_MAX_EVENTS_AT_ONCE = 256
_MAX_NAMES_AT_ONCE = 20_000
_Waiting = tuple[asyncio.Future[Appended | None], bool]


@dataclass(eq=False, slots=True)
class _Queued:
    """An event, and those who wait for its position, each with whether it waits for an outage to end."""

    event: Invalidation
    strict: bool
    hold_s: float = 0.0
    waiting: list[_Waiting] = field(default_factory=list)

    @property
    def names(self) -> int:
        """How much the event takes: what it names, at least 1."""
        event = self.event
        return max(1, len(event.tags) + len(event.uris) + len(event.uri_prefixes))


class Outbox:
    """Shares what is put into it, and goes on when the caller has left.

    It keeps at most `most_names` names; beyond that the last event becomes "everything", which includes what follows.
    `failed` is told when sharing at once did not work; the events stay until `share` is called again.
    """

    def __init__(self, link: LogLink, tasks: Tasks, most_names: int, failed: Callable[[BaseException], None]) -> None:
        self._link = link
        self._tasks = tasks
        self._most_names = most_names
        self._failed = failed
        self._queue: deque[_Queued] = deque()
        self._names = 0
        self._sharing = asyncio.Lock()

    async def send(self, event: Invalidation, *, strict: bool, hold_s: float = 0.0) -> Appended | None:
        """Have the event shared, now or when Redis is back, whatever becomes of the caller.

        With `strict` the other nodes will acknowledge it, and this waits for as long as Redis is away. Otherwise the
        answer is None once sharing has failed, or with nobody left to do it.
        """
        answer = self._add(event, strict=strict, hold_s=hold_s)
        if not self._sharing.locked():
            # Here rather than in a task: a busy loop takes its time to begin one, and to come back from it.
            await self._share_one_batch()
        return await answer

    @property
    def waits(self) -> bool:
        """Whether events wait to be shared."""
        return bool(self._queue)

    async def share(self) -> None:
        """Share what waits. Raises one of FAILURES; what was not shared stays."""
        async with self._sharing:
            while self._queue:
                await self._send_batch()

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

    def _add(self, event: Invalidation, *, strict: bool, hold_s: float) -> asyncio.Future[Appended | None]:
        queued = _Queued(event, strict, hold_s)
        if self._names + queued.names <= self._most_names or not self._queue:
            self._queue.append(queued)
            self._names += queued.names
        else:
            last = self._queue[-1]
            self._names -= last.names - 1
            # An event of its own each time: the one before may be on its way, and be placed too early for this one.
            last.event, last.strict = Invalidation(everything=True), last.strict or strict
            last.hold_s = max(last.hold_s, hold_s)
        future: asyncio.Future[Appended | None] = asyncio.get_running_loop().create_future()
        self._queue[-1].waiting.append((future, strict))
        return future

    async def _share_one_batch(self) -> None:
        """Share the first events; a task sees to the rest, and to all of them where the caller leaves."""
        try:
            async with self._sharing:
                await self._send_batch()
        except FAILURES as error:
            self._give_up(error)
        except BaseException:
            self._tasks.start(self._share_rest(), "log: share")
            raise
        else:
            if self._queue:
                self._tasks.start(self._share_rest(), "log: share")

    async def _share_rest(self) -> None:
        try:
            await self.share()
        except FAILURES as error:
            self._give_up(error)

    def _give_up(self, error: BaseException) -> None:
        self._failed(error)
        for queued in self._queue:
            _settle([waiting for waiting in queued.waiting if not waiting[1]], None)

    async def _send_batch(self) -> None:
        batch = self._batch()
        events = [(queued.event, queued.strict, queued.hold_s) for queued in batch]
        waiting = [tuple(queued.waiting) for queued in batch]
        answer = await self._link.append(events)
        for number, queued in enumerate(batch):
            if queued.event is events[number][0]:  # else it has become "everything" meanwhile
                self._queue.popleft()
                self._names -= queued.names
            _settle(waiting[number], replace(answer, seq=answer.seq - len(batch) + 1 + number))
            answer = replace(answer, lost=())  # told once

    def abandon(self) -> None:
        """Nothing will be shared any more: let go who waits."""
        for queued in self._queue:
            _settle(queued.waiting, None)

    def _batch(self) -> list[_Queued]:
        """The first events, as many as one call may carry, at least one."""
        batch: list[_Queued] = []
        names = 0
        for queued in self._queue:
            names += queued.names
            if batch and (names > _MAX_NAMES_AT_ONCE or len(batch) == _MAX_EVENTS_AT_ONCE):
                break
            batch.append(queued)
        return batch


def _settle(waiting: Sequence[_Waiting], answer: Appended | None) -> None:
    for future, _ in waiting:
        if not future.done():
            future.set_result(answer)
