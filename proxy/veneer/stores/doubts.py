"""The holds of writes in doubt, as one node of a shared log knows them: opened early, placed, and closed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from veneer.core.invalidation import Invalidation
from veneer.ports import Clock
from veneer.stores.events import HeldEvent, LogEvent, encode_event
from veneer.stores.holds import MAX_HELD, PENDING, Hold, hold_name
from veneer.stores.table import SubjectTable

_GRACE_S: Final = 5.0
"""How long after its end a hold may still be closed by the log; then this node closes it by itself."""

_LATE_S: Final = 0.5
"""By how much a hold has to end later than Redis says to be told again: less is the way between the two."""


class Doubts:
    """Keeps the holds of `table`. A hold's name is that of its event, so that all nodes know it by the same one."""

    def __init__(self, table: SubjectTable, clock: Clock) -> None:
        self._table = table
        self._clock = clock

    def open(self, event: Invalidation, hold_s: float) -> Invalidation:
        """Hold what the event names before it has a position; the event to append, which may be "everything"."""
        holds = self._table.holds
        name = hold_name(encode_event(event))
        if len(holds) >= MAX_HELD and name not in holds:
            event = Invalidation(everything=True)
        self._hold(event, hold_s, PENDING)
        return event

    def placed(self, event: Invalidation, hold_s: float, seq: int) -> None:
        """The event has its position, and its receipt may say so: whatever was closed meanwhile, it is held."""
        self._hold(event, hold_s, seq)

    def heard(self, event: LogEvent) -> None:
        """The log brings an event."""
        if event.opens:
            self._table.holds.add(event.opens, Hold(event.event, self._now() + event.hold_s, event.seq))
        elif event.closes:
            self._table.holds.close(event.closes, event.seq)

    def told(self, holds: Sequence[HeldEvent]) -> int:
        """Redis names the holds in force; how many are new here. One that ends later than was known here does so."""
        known = len(self._table.holds)
        for held in holds:
            self._table.holds.extend(held.name, Hold(held.event, self._now() + held.left_s, 0))
        return len(self._table.holds) - known

    def unknown(self, holds: Sequence[HeldEvent]) -> tuple[tuple[Invalidation, float], ...]:
        """The holds, with the seconds left, that a new epoch does not know, or not for as long; they await their place.

        Redis may have come back with what it had before the last of them was opened, or made longer.
        """
        told = {held.name: self._now() + held.left_s for held in holds}
        found: list[tuple[Invalidation, float]] = []
        for name, hold in self._table.holds.items():
            self._table.holds.add(name, Hold(hold.event, hold.until_s, 0))
            if hold.until_s > max(self._now(), told.get(name, 0.0) + _LATE_S):
                found.append((hold.event, hold.until_s - self._now()))
        return tuple(found)

    def prune(self, applied: int) -> int:
        """Close what the log should have closed long ago, but did not; how many. What was born until now is dead."""
        overdue = self._table.holds.overdue(self._now() - _GRACE_S) if self._table.holds else ()
        for name in overdue:
            self._table.holds.close(name, PENDING + 1)
        if overdue:
            self._table.raise_horizon(applied + 1)
        return len(overdue)

    def _hold(self, event: Invalidation, hold_s: float, seq: int) -> None:
        self._table.holds.add(hold_name(encode_event(event)), Hold(event, self._now() + hold_s, seq))

    def _now(self) -> float:
        return self._clock.monotonic()
