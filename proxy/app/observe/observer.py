"""The Recorder of a process: counts each exchange and has its line written."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from proxy.app.observe.counters import Counts, Gauges, Snapshot
from proxy.app.observe.writer import LineWriter
from proxy.pipeline.exchange import Audit, ExchangeRecord


class Observer:
    """proxy.pipeline.exchange.Recorder. `also` see each record too (traces, error reports); they must be quick."""

    def __init__(
        self, lines: LineWriter[ExchangeRecord] | None, also: Sequence[Callable[[ExchangeRecord], None]] = ()
    ) -> None:
        self._lines = lines
        self._also = tuple(also)
        self.counts = Counts()

    def begin(self) -> None:
        """Count an exchange as active."""
        self.counts.active += 1

    def finish(self, record: ExchangeRecord) -> None:
        """Count it as ended and have its line written."""
        self.counts.active -= 1
        self.counts.count(record)
        if self._lines is not None:
            self._lines.offer(record)
        for see in self._also:
            see(record)

    def audited(self, audit: Audit) -> None:
        """Count an audit of a hit."""
        self.counts.route(audit.route).audit(differs=audit.differs)

    def snapshot(self, gauges: Callable[[], Gauges]) -> Snapshot:
        """The counters now, with what the rooms say now."""
        return Snapshot(self.counts, gauges())
