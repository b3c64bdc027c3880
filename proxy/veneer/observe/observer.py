"""The Recorder of a process: counts each exchange and has its line written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from veneer.core.line_sampling import LineSampling
from veneer.observe.access_log import Lines
from veneer.observe.counters import Counts, Snapshot
from veneer.observe.gauges import Gauges
from veneer.observe.repeats import CompactRecord, record_of
from veneer.observe.tallies import Tallies
from veneer.pipeline.exchange import Audit, ExchangeRecord
from veneer.ports import Clock

Later = Callable[[float, Callable[[], None]], object]
"""Calls something after so many seconds, in the thread that the observer is used from."""

MAX_NOTES: Final = 16
"""Notes that wait at most. Whoever comes while they are worked off waits as well: more would be seen in the p99."""
_GATHER_S: Final = 0.05
"""How long notes wait at most."""


def in_this_loop(delay_s: float, call: Callable[[], None]) -> asyncio.TimerHandle:
    """Call something in the running event loop after a while."""
    return asyncio.get_running_loop().call_later(delay_s, call)


class Observer:
    """veneer.pipeline.exchange.Recorder. `also` see each record too (traces, error reports); they must be quick.

    Notes of repeated answers are worked off many at once, always before the next record: lines keep their order.
    """

    def __init__(
        self,
        lines: Lines | None,
        also: Sequence[Callable[[ExchangeRecord], None]] = (),
        *,
        clock: Clock,
        later: Later,
    ) -> None:
        self._lines = lines
        self._also = tuple(also)
        self._clock = clock
        self._later = later
        self._notes: list[CompactRecord] = []
        self._awaited = False
        self._active = 0
        self._counts = Counts()
        self._tallies = Tallies(self._counts)

    def expect(self, routes: Iterable[str]) -> None:
        """Show these routes before anybody asks for them, and what the proxy answers before there is a route."""
        for name in ("", *routes):
            self._counts.route(name)

    def sample(self, sampling: LineSampling) -> None:
        """Have these lines written from now on; what came before is written as it was to be."""
        if self._notes:
            self.work_off()
        if self._lines is not None:
            self._lines.sample(sampling)

    def watch(self, see: Callable[[ExchangeRecord], None]) -> Callable[[], None]:
        """Have `see` see each record from now on; it must be quick and not raise. Returns what ends that."""
        if self._notes:
            self.work_off()
        self._also = (*self._also, see)

        def end() -> None:
            if self._notes:
                self.work_off()
            self._also = tuple([other for other in self._also if other is not see])

        return end

    def begin(self) -> None:
        """Count an exchange as active."""
        self._active += 1

    def finish(self, record: ExchangeRecord) -> None:
        """Count it as ended and have its line written."""
        if self._notes:
            self.work_off()
        self._active -= 1
        self._counts.count(record)
        if self._lines is not None:
            self._lines.write(record)
        if self._also:
            self._show(record)

    def note(self, note: CompactRecord) -> None:
        """Record an exchange that began and ended at once, soon."""
        notes = self._notes
        notes.append(note)
        if len(notes) >= MAX_NOTES:
            self.work_off()
        elif not self._awaited:
            self._awaited = True
            self._later(_GATHER_S, self._come_back)

    def _come_back(self) -> None:
        self._awaited = False
        self.work_off()

    def finish_noted(self, note: CompactRecord) -> None:
        """Record an exchange that counts as active since `begin`."""
        self._active -= 1
        self.note(note)

    def work_off(self) -> None:
        """Record what was noted."""
        notes = self._notes
        if not notes:
            return
        self._notes = []
        for note in notes:
            self._tallies.add(note)
        wall_minus_monotonic_s = self._clock.now() - self._clock.monotonic()
        if self._lines is not None:
            self._lines.write_notes(notes, wall_minus_monotonic_s)
        if self._also:
            for note in notes:
                self._show(record_of(note, wall_minus_monotonic_s))

    def _show(self, record: ExchangeRecord) -> None:
        for see in self._also:
            see(record)

    def audited(self, audit: Audit) -> None:
        """Count an audit of a hit."""
        self._counts.route(audit.route).audit(differs=audit.differs)

    @property
    def counts(self) -> Counts:
        """Everything counted so far."""
        self.work_off()
        self._tallies.empty()
        self._counts.active = self._active
        return self._counts

    def snapshot(self, gauges: Callable[[], Gauges]) -> Snapshot:
        """The counters now, with what the rooms say now."""
        return Snapshot(self.counts, gauges())
