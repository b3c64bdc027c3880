"""The invalidation log of a process that is alone: a counter and a table."""

from __future__ import annotations

import asyncio
import secrets
from typing import Final

from veneer.core.entry import Entry, Position
from veneer.core.invalidation import Invalidation, Validity
from veneer.ports import Clock, LeaseState, OnReceipt, Receipt
from veneer.stores.doubts import Doubts
from veneer.stores.events import encode_event
from veneer.stores.holds import hold_name
from veneer.stores.recent import RecentEvents
from veneer.stores.sources import MemorySources
from veneer.stores.table import DEFAULT_MAX_BYTES, SubjectTable, check

_HELD: Final = LeaseState.HELD  # to look a member of an Enum up runs Python


class MemoryLog:
    """An InvalidationLog in this process. Nobody else answers from its stores, so it always leads."""

    def __init__(self, clock: Clock, *, max_table_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self._clock = clock
        self._epoch = f"local-{secrets.token_hex(8)}"
        self._seq = 0
        self.position = Position(self._epoch, 0)
        """The last position applied here: one object for all entries that are born at it."""
        self._table = SubjectTable(max_table_bytes)
        self._recent = RecentEvents()
        self._doubts = Doubts(self._table, clock)
        self.sources = MemorySources(self.append_now, clock, self._epoch)
        self.as_of = self.sources.as_of
        self._timers: dict[str, asyncio.TimerHandle] = {}
        """What closes the holds, by name."""

    async def start(self) -> None:
        """Nothing to open."""

    async def aclose(self) -> None:
        """Let go of what would close holds."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    @property
    def local(self) -> MemoryLog:
        """Nobody else is there."""
        return self

    @property
    def moved(self) -> int:
        """A number that changes whenever the answer of `validity` may change."""
        return self._seq

    def lease_state(self) -> LeaseState:
        """Always held."""
        return _HELD

    def validity(self, entry: Entry) -> Validity:
        """Has anything that names `entry` happened after it was born?"""
        memo = entry.memo
        if memo.moved == self._seq:
            return memo.validity
        return check(entry, self._table, self._seq, self._epoch, self._seq)

    def validity_generation(self, now_s: float) -> int:  # noqa: ARG002 - always held
        """How often the log has moved."""
        return self._seq

    async def begin_write(self, settles_s: float, *, strict: bool) -> bool:  # noqa: ARG002 - nobody is to be told
        """Always."""
        return True

    def may_write_now(self, settles_s: float, *, strict: bool) -> bool:  # noqa: ARG002 - as `begin_write`
        """Always."""
        return True

    def begin_write_now(self, settles_s: float) -> None:
        """Nobody is told of it."""

    def end_write(self) -> None:
        """Nobody was told of it."""

    async def append(
        self,
        invalidation: Invalidation,
        *,
        strict: bool,  # noqa: ARG002 - alone, all is strict
        settles_s: float = 0.0,
    ) -> Receipt:
        """Put an event into the order and apply it; it holds at once."""
        began = self._clock.monotonic()
        self.append_now(invalidation, settles_s)
        return Receipt(self.position, (), (), (self._clock.monotonic() - began) * 1000)

    def append_soon(
        self,
        invalidation: Invalidation,
        on_receipt: OnReceipt,
        *,
        strict: bool,  # noqa: ARG002 - alone, all is strict
        settles_s: float = 0.0,
    ) -> None:
        """As `append`; it is told at once."""
        self.append_now(invalidation, settles_s)
        on_receipt(Receipt(self.position, (), (), 0.0))

    def append_now(self, invalidation: Invalidation, settles_s: float = 0.0) -> None:
        """As `append`."""
        if settles_s:
            invalidation = self._doubts.open(invalidation, settles_s)
        self._note(invalidation)
        if settles_s:
            self._doubts.placed(invalidation, settles_s, self._seq)
            self._close_in(settles_s, invalidation)

    def _note(self, invalidation: Invalidation) -> None:
        self._seq += 1
        self.position = Position(self._epoch, self._seq)
        self._table.apply(invalidation, self._seq)
        self._recent.note(self._seq, invalidation)

    def _close_in(self, settles_s: float, invalidation: Invalidation) -> None:
        """Close the hold of the event then; one that was opened before for the same event may keep it for longer."""
        loop, name = asyncio.get_running_loop(), hold_name(encode_event(invalidation))
        before, at = self._timers.get(name), loop.time() + settles_s
        if before is not None:
            before.cancel()
            at = max(at, before.when())
        self._timers[name] = loop.call_at(at, self._close, name, invalidation)

    def _close(self, name: str, invalidation: Invalidation) -> None:
        """The backend has ended the write, one way or the other: what was born until now is as old as it may be."""
        del self._timers[name]
        self._table.holds.close(name, self._seq + 1)
        self._note(invalidation)

    async def spares(self, entry: Entry, until: Position) -> bool:
        """Whether nothing between its birth and `until` named `entry`."""
        alike = entry.born.epoch == until.epoch == self._epoch
        return alike and self._recent.spare(entry, entry.born.seq, until.seq)
