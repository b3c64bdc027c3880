"""What notes add up to until somebody reads the counts."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from veneer.core.durations import BOUNDS_MS
from veneer.observe.counters import Counts
from veneer.observe.histogram import Histogram
from veneer.observe.repeats import NONE, CompactRecord, RecordTemplate

_BOUNDS_US: Final = [*(int(bound_ms * 1000) for bound_ms in BOUNDS_MS), 2**60]
_FIRST_US: Final = _BOUNDS_US[0]
_MOST: Final = 1_000
"""Facts tallied at most: those of policies past are let go of."""


class Durations:
    """The microseconds of many exchanges, by the buckets of a Histogram; most fall into the first."""

    __slots__ = ("_longer", "_short", "_sum_us")

    def __init__(self) -> None:
        self._short: i64 = 0
        self._longer = [0] * len(BOUNDS_MS)
        self._sum_us: i64 = 0

    def add(self, duration_us: i64) -> None:
        """Count one."""
        self._sum_us += duration_us
        if duration_us <= _FIRST_US:
            self._short += 1
            return
        bounds_us, longer = _BOUNDS_US, self._longer
        bucket: i64 = 1
        while duration_us > bounds_us[bucket]:
            bucket += 1
        longer[bucket - 1] = longer[bucket - 1] + 1  # `+=` would ask the objects how

    def histogram(self) -> Histogram:
        """All of them."""
        return Histogram([self._short, *self._longer], self._sum_us / 1000)


class RecordSum:
    """What the notes with the same facts add up to."""

    __slots__ = ("_bytes_identity", "_bytes_in", "_bytes_out", "_count", "_took", "_upstream", "facts")

    def __init__(self, facts: RecordTemplate) -> None:
        self.facts = facts
        self._count: i64 = 0
        self._took = Durations()
        self._upstream = Durations()
        self._bytes_in: i64 = 0
        self._bytes_out: i64 = 0
        self._bytes_identity: i64 = 0

    def add(self, note: CompactRecord) -> None:
        """Count one exchange."""
        self._count += 1
        self._bytes_in += note.bytes_in
        self._bytes_out += note.bytes_out
        self._bytes_identity += note.bytes_identity
        self._took.add(note.took_us)
        if note.upstream_us != NONE:
            self._upstream.add(note.upstream_us)

    def add_to(self, counts: Counts) -> None:
        """Have everything counted there."""
        route = counts.count_facts(self.facts, self._count)
        route.took(self.facts.cache.value).add(self._took.histogram())
        route.upstream.add(self._upstream.histogram())
        route.bytes_in += self._bytes_in
        route.bytes_out += self._bytes_out
        if self.facts.coding:
            route.bytes_saved += self._bytes_identity - self._bytes_out


class Tallies:
    """Tallies by their facts. Emptied into `counts`, which are complete only then."""

    __slots__ = ("_counts", "_last", "_tallies")

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._tallies: dict[RecordTemplate, RecordSum] = {}
        self._last: RecordSum | None = None

    def add(self, note: CompactRecord) -> None:
        """Count one exchange: most have the facts of the one before."""
        tally = self._last
        if tally is None or tally.facts is not note.facts:
            tally = self._last = self._tally(note.facts)
        tally.add(note)

    def _tally(self, facts: RecordTemplate) -> RecordSum:
        tally = self._tallies.get(facts)
        if tally is None:
            if len(self._tallies) >= _MOST:
                self.empty()
            tally = self._tallies[facts] = RecordSum(facts)
        return tally

    def empty(self) -> None:
        """Have everything counted."""
        for tally in self._tallies.values():
            tally.add_to(self._counts)
        self._tallies.clear()
        self._last = None
