"""The invalidation log shared through Redis, and the lease that makes it strict. The model is in docs/guarantees.md."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from veneer.core.entry import Entry, Position
from veneer.core.invalidation import Invalidation, Validity
from veneer.loop.tasks import Tasks
from veneer.ports import Clock, LeaseState, OnReceipt, Receipt
from veneer.redis.script import FAILURES
from veneer.redis.states import RedisStates
from veneer.redis.troubles import Trouble
from veneer.stores.acks import NOBODY, Acknowledgements
from veneer.stores.append import Append, nobody_waits, tells
from veneer.stores.doubts import Doubts
from veneer.stores.events import Appended, LogEvent, Renewal
from veneer.stores.flushes import Flushes, FlushReason
from veneer.stores.lease import NodeLease
from veneer.stores.log_counts import LogCounts
from veneer.stores.log_link import LogLink
from veneer.stores.log_reader import Applied
from veneer.stores.log_settings import LogSettings
from veneer.stores.notices import LogNotices
from veneer.stores.open_writes import OpenWrites
from veneer.stores.outbox import Outbox, nobody
from veneer.stores.progress import Progress
from veneer.stores.published import PublishedLog
from veneer.stores.recent import RecentEvents
from veneer.stores.sources import RedisSources, told_sources
from veneer.stores.stream_decoder import ReadBatch
from veneer.stores.table import SubjectTable, check

logger = logging.getLogger(__name__)
_CATCH_UP_S = 0.5


class RedisLog:
    """An InvalidationLog shared by every node on one Redis.

    Close it when no request is under way any more: its good-bye says so.
    """

    def __init__(
        self,
        link: LogLink,
        clock: Clock,
        tasks: Tasks,
        settings: LogSettings | None = None,
        states: RedisStates | None = None,
    ) -> None:
        self._link, self._clock, self._tasks = link, clock, tasks
        self._settings = settings or LogSettings()
        self._on_reset: Callable[[], None] = lambda: None
        self._notices = LogNotices(link, self._is_reached, self._failed)
        self._table = SubjectTable(self._settings.max_table_bytes)
        self._doubts = Doubts(self._table, clock)
        self._writes = OpenWrites(clock)
        self._epoch, self._epoch_ms, self._applied = "", 0, 0
        self._position = Position("", 0)
        self._recent = RecentEvents()
        self._progress = Progress()
        self._moved, self._nodes = 0, 1
        self._lease = NodeLease()
        self._led, self._wake = asyncio.Event(), asyncio.Event()
        self._acks = Acknowledgements(clock)
        self._published = PublishedLog(link, self._hear_published, self._acks.heard)
        self.missed = self._published.missed
        self._outbox = Outbox(link, self._settings.most_queued, self._settings.hold_s, self._not_shared)
        self._states = states or RedisStates(clock.monotonic)
        self.trouble: Trouble | None = None
        """What the last call met with."""
        self._loops: list[asyncio.Task[None]] = []
        self.local, self._closed = None, False
        self.counts, self.flushes = LogCounts(), Flushes()
        self.sources, self.as_of = RedisSources(link, self, self._outbox, self._lease, clock), self._lease.as_of

    # ------------------------------------------------------------ the port

    @property
    def position(self) -> Position:
        """The last position applied here."""
        if self._position != (self._epoch, self._applied):
            self._position = Position(self._epoch, self._applied)
        return self._position  # one for all entries that are born here

    @property
    def epoch(self) -> str:
        """The name of the epoch, empty until Redis was reached for the first time."""
        return self._epoch

    @property
    def nodes(self) -> int:
        """How many nodes had a lease when this one last renewed its own, itself included."""
        return self._nodes

    @property
    def moved(self) -> int:
        """A number that changes whenever the answer of `validity` may change."""
        return self._moved

    def lease_state(self) -> LeaseState:
        """Held while the lease is fresh."""
        return LeaseState.HELD if self._clock.monotonic() < self._lease.until_s else LeaseState.EXPIRED

    def validity(self, entry: Entry) -> Validity:
        """Has anything that names `entry` happened after it was born?"""
        memo = entry.memo
        if memo.moved == self._moved:
            return memo.validity
        return check(entry, self._table, self._moved, self._epoch, self._applied)

    def validity_generation(self, now_s: float) -> int:
        """How often the log has moved; -1 when the lease is not fresh at `now_s`."""
        return self._moved if now_s < self._lease.until_s else -1

    def may_write_now(self, settles_s: float, *, strict: bool) -> bool:
        """Whether `begin_write` has nothing to wait for: this node leads, and its record says so already."""
        return not strict or (self._leads() and self._writes.is_known(settles_s))

    def _leads(self) -> bool:
        """Whether its lease lasts, and Redis has not failed since: a write sent then could hardly be made known."""
        return self.lease_state() is LeaseState.HELD and self._is_reached()

    def begin_write_now(self, settles_s: float) -> None:
        """As `begin_write`, after `may_write_now`."""
        if not self._writes.is_known(self._writes.begin(settles_s)):
            self._wake.set()

    async def begin_write(self, settles_s: float, *, strict: bool) -> bool:
        """Wait, at most `hold_s`, until this node leads and its record says that a write may be under way."""
        if self.may_write_now(settles_s, strict=strict):
            self.begin_write_now(settles_s)
            return True
        settles_s = self._writes.begin(settles_s)
        self._wake.set()
        try:
            async with asyncio.timeout(self._settings.hold_s):
                await self._writes.known(settles_s)
                while not self._leads():
                    self._led.clear()
                    await self._led.wait()
        except BaseException as error:
            self._writes.end()
            if isinstance(error, TimeoutError):
                return False
            raise
        return True

    def end_write(self) -> None:
        """What the write may have changed is in the log, or waits in the outbox."""
        self._writes.end()

    async def append(self, invalidation: Invalidation, *, strict: bool, settles_s: float = 0.0) -> Receipt:
        """Put an event into the order and apply it here.

        With `strict` returns when every live node has applied it or its lease has run out, or after `hold_s` while
        Redis is away: the receipt then says that it is not shared. So it says without `strict`, for which nobody waits.
        """
        receipt: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self.append_soon(invalidation, tells(receipt), strict=strict, settles_s=settles_s)
        return await receipt

    def append_soon(
        self, invalidation: Invalidation, on_receipt: OnReceipt, *, strict: bool, settles_s: float = 0.0
    ) -> None:
        """As `append`, for who cannot wait in a task."""
        if settles_s:
            invalidation = self._doubts.open(invalidation, settles_s)
        self.apply_early(invalidation)
        heard = on_receipt if strict else nobody_waits
        append = Append(self, invalidation, heard, self._clock.monotonic, strict=strict, settles_s=settles_s)
        self._outbox.add(invalidation, append.shared, strict=strict, hold_s=settles_s)
        if not strict:
            on_receipt(Receipt(self.position, (), (), 0.0, shared=False))

    async def spares(self, entry: Entry, until: Position) -> bool:
        """Whether nothing between its birth and `until` named `entry`; waits, briefly, until those events are here."""
        if not entry.born.epoch == until.epoch == self._epoch:
            return False
        if not await self._progress.reaches(lambda: self._applied >= until.seq - 1, _CATCH_UP_S):
            return False
        return until.epoch == self._epoch and self._recent.spare(entry, entry.born.seq, until.seq)

    def announce(self, key: str) -> None:
        """Tell the other nodes that `key` was replaced in the shared store; a hint that may be lost."""
        self._notices.announce(key, released=False)

    def announce_release(self, notice: str) -> None:
        """Tell the other nodes that the lock of a fetch is released; a hint that may be lost."""
        self._notices.announce(notice, released=True)

    # ------------------------------------------------------------ life

    def listen(
        self,
        *,
        on_replaced: Callable[[str], None],
        on_reset: Callable[[], None],
        on_lock_released: Callable[[str], None] = lambda _digest: None,
    ) -> None:
        """Tell `on_replaced` each key that another node replaces in the shared store, `on_reset` when all is dead.

        `on_lock_released` gets what `announce_release` was given at another node.
        """
        self._on_reset = on_reset
        self._notices.listen(on_replaced, on_lock_released)

    async def start(self) -> None:
        """Join the log if Redis can be reached at once; otherwise keep trying in the background."""
        await self._renew_once()
        self._loops.append(self._tasks.start(self._renew_forever(), "log: renew"))
        self._loops.append(self._tasks.start(self._read_forever(), "log: read"))
        self._loops.append(self._tasks.start(self._published.listen(), "log: listen"))

    async def aclose(self) -> None:
        """Stop answering from the stores, hand over what is queued, say good-bye."""
        self._lease.drop()
        self._closed = True  # a cancellation alone may be swallowed below (asyncio.wait_for before Python 3.12)
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        self._loops.clear()
        self._lease.drop()
        # Without what it had to say a good-bye would be a lie.
        if await self._outbox.hand_over(self._settings.hold_s, self._settings.retry_s):
            try:
                await self._link.leave()
            except FAILURES as error:
                self._failed(error)
        self._link.close()
        self._outbox.abandon()
        self._acks.close()

    # ------------------------------------------------------------ appending

    def apply_early(self, event: Invalidation) -> None:
        """Kill here what the event names, before its position is known: whatever becomes of Redis, this node knows."""
        self._table.apply(event, self._applied + 1)
        self._moved += 1

    def place(self, append: Append, answer: Appended) -> None:
        """The event has its place in the log: apply it there, and tell `append` when all who have to know do."""
        event = append.event
        if append.settles_s:
            self._doubts.placed(event, append.settles_s, answer.seq)
        self.counts.appended += 1
        self.counts.lost(answer.lost)
        if answer.epoch == self._epoch:
            self._table.apply(event, answer.seq)
            self._moved += 1
            if answer.seq == self._applied + 1:  # nothing lies between: what is fetched from now on is born after it
                self._applied = answer.seq
                self._recent.note(answer.seq, event)
                self.flushes.heard(LogEvent(answer.epoch_ms, answer.seq, event, self._link.node))
                self._lease.applied(answer.seq)
                self._progress.made()
        else:
            self._wake.set()  # the renewal brings the new epoch with all its events; until then nothing is answered
            self._lease.drop()
        if append.strict:
            self._acks.when(answer.epoch_ms, answer.seq, answer.live, append.acknowledged)
        else:
            append.acknowledged(NOBODY)

    def _not_shared(self, error: BaseException) -> None:
        self._failed(error)
        self._wake.set()

    # ------------------------------------------------------------ renewing

    async def _renew_forever(self) -> None:
        while not self._closed:
            done = await self._renew_once()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.renew_s if done else self._settings.retry_s):
                    await self._wake.wait()
            if not done:
                await asyncio.sleep(self._settings.retry_s)
            self._wake.clear()

    async def _renew_once(self) -> bool:
        try:
            await self._outbox.share()
            began = self._clock.monotonic()
            report = self._writes.report(queued=self._outbox.waits)
            renewal = await self._link.renew(self._epoch, self._applied, report)
            took_s = self._clock.monotonic() - began
            await self._renewed(renewal, began)
            self._writes.told(report)
        except FAILURES as error:
            self._failed(error, renewing=True)
            return False
        self.trouble = None
        self._states.renewed(took_s)
        self._published.measured(took_s)
        if self._leads():
            self._led.set()
        return True

    async def _renewed(self, renewal: Renewal, began: float) -> None:
        self.counts.renewals += 1
        self._nodes = renewal.nodes
        self.counts.lost(renewal.lost)
        joined = renewal.epoch != self._epoch
        if joined:
            self._join(renewal)
        self._moved += self._doubts.told(renewal.holds)
        owed = self._apply(renewal.events)
        self._moved += self.flushes.overdue(self._doubts.prune(self._applied))
        self._lease.grant(renewal.seq, began + renewal.lease_s, self._applied, told_sources(renewal, began))
        if not joined:
            self._acknowledge(owed)

    def _acknowledge(self, owed: Mapping[str, int]) -> None:
        self._link.acknowledge(Applied(self._epoch_ms, self._applied, owed))

    def _join(self, renewal: Renewal) -> None:
        """Enter an epoch: what is stored from another one is dead, and so is what was born before the events known."""
        known_from = renewal.events[0].seq - 1 if renewal.events else renewal.seq
        if self._epoch:
            self.flushes.note(FlushReason.EPOCH, f"the log begins anew, epoch {renewal.epoch}")
        self._epoch, self._epoch_ms, self._applied = renewal.epoch, renewal.epoch_ms, known_from
        self._table.clear(known_from)
        self._recent.clear()
        self._moved += 1
        self._lease.drop()
        self.counts.epochs += 1
        self._on_reset()
        for event, left_s in self._doubts.unknown(renewal.holds):  # Redis has forgotten them with the rest
            self._outbox.add(event, nobody, strict=False, hold_s=left_s)

    # ------------------------------------------------------------ reading

    async def _read_forever(self) -> None:
        while not self._closed:
            if self._epoch and self._is_reached():
                try:
                    start = Applied(self._epoch_ms, self._applied)
                    await self._link.listen(start, self._hear, lambda: (self._epoch_ms, self._applied))
                except FAILURES as error:
                    logger.debug("reading the log failed: %r", error)
                self._wake.set()
            await asyncio.sleep(self._settings.retry_s)

    def _hear(self, heard: ReadBatch) -> Applied | None:
        """Apply what the reader brings. None when that begins a new epoch, of which only a renewal tells."""
        for ack in heard.acknowledgements:
            self._acks.heard(ack.node, ack.epoch_ms, ack.seq)
        self._notices.heard(heard.notices)
        if any(event.epoch_ms != self._epoch_ms for event in heard.events):
            return None
        if heard.events and heard.events[0].seq > self._applied + 1:
            return None  # the log was trimmed: a renewal tells which holds were opened meanwhile
        owed = self._apply(heard.events)
        self._lease.applied(self._applied)
        return Applied(self._epoch_ms, self._applied, owed)

    def _hear_published(self, event: LogEvent) -> None:
        """Apply an event ahead of the reader, where it is the next one, and tell its writer."""
        if (event.epoch_ms, event.seq) == (self._epoch_ms, self._applied + 1):
            owed = self._apply((event,))
            self._lease.applied(self._applied)
            self._acknowledge(owed)

    def _apply(self, events: Sequence[LogEvent]) -> dict[str, int]:
        """Apply what is new, in order; the writers to be told, each with its last position."""
        owed: dict[str, int] = {}
        for event in events:
            if event.seq <= self._applied:
                continue
            if event.seq > self._applied + 1:
                self.flushes.note(FlushReason.GAP, f"the log was trimmed before this node read it, up to {event.seq}")
                self._table.raise_horizon(event.seq - 1)
                self.counts.gaps += 1
                self._on_reset()
                self._recent.clear()
            self._table.apply(event.event, event.seq)
            self._doubts.heard(event)
            self.flushes.heard(event)
            self._recent.note(event.seq, event.event)
            self._applied = event.seq
            self._moved += 1
            self.counts.applied += 1
            if event.writer and event.writer != self._link.node:
                owed[event.writer] = event.seq
        if events:
            self._progress.made()
        return owed

    def _failed(self, error: BaseException, *, renewing: bool = False) -> None:
        self.counts.failures += 1
        self.trouble = self._states.met(error, renewing=renewing)

    def _is_reached(self) -> bool:
        return self.trouble is None
