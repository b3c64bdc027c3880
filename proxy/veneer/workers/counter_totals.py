"""The counters of all workers, those that have ended included: what was shown once is never taken back."""

from __future__ import annotations

from veneer.observe.counters import Counts, Snapshot, merged, remains
from veneer.observe.gauges import Gauges
from veneer.workers.report import Report


class CounterTotals:
    """The last report of each living worker by its name, and the sum of what ended ones counted."""

    def __init__(self) -> None:
        self._living: dict[str, Report] = {}
        self._ended = Snapshot(Counts(), Gauges())

    def reported(self, worker: str, report: Report) -> None:
        """Take a report of a living worker, unless a newer one has overtaken it on the way."""
        known = self._living.get(worker)
        if known is None or known.number < report.number:
            self._living[worker] = report

    def ended(self, worker: str, last: Report | None) -> None:
        """Keep what a worker counted: by its last words, else by its last report."""
        known = self._living.pop(worker, None)
        final = last or known
        if final is not None:
            self._ended = merged((self._ended, remains(final.snapshot)))

    def total(self) -> Snapshot:
        """The sum over all workers that are or were."""
        return merged((self._ended, *(report.snapshot for report in self._living.values())))

    def serving(self) -> tuple[str, ...]:
        """The workers that take requests, as far as they have reported now: who asks may wait between two of them."""
        return tuple(worker for worker, report in self._living.items() if report.serving)

    @property
    def position(self) -> tuple[str, int]:
        """The position in the invalidation log of a worker; ("", 0) while none has reported."""
        return next((report.position for report in self._living.values()), ("", 0))
