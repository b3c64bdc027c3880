"""The access log: a line for each exchange, or for a share of those that are nothing special."""

from __future__ import annotations

import random
from collections.abc import Callable

from veneer.core.line_sampling import LineSampling
from veneer.observe.lines import Renderer
from veneer.observe.patterns import encode
from veneer.observe.repeats import CompactRecord, RecordTemplate
from veneer.observe.writer import LineWriter
from veneer.pipeline.exchange import HIT_RESULTS, ExchangeRecord


class Lines:
    """Lines from a renderer to a writer. What cannot be rendered counts as dropped."""

    def __init__(self, renderer: Renderer, writer: LineWriter, chance: Callable[[], float] = random.random) -> None:
        """`chance` gives numbers from 0 to less than 1."""
        self._renderer = renderer
        self._writer = writer
        self._chance = chance
        self._sampling: LineSampling | None = None
        self._rates: dict[float, bytes] = {}

    def sample(self, sampling: LineSampling) -> None:
        """Write these from now on."""
        self._sampling = None if sampling.writes_all else sampling
        self._rates = {share: encode(share) for share in (sampling.hits, sampling.others)}

    def write(self, record: ExchangeRecord) -> None:
        """Have one exchange's line written, if it is one of those."""
        share = 1.0 if self._sampling is None else _share_of(record, self._sampling)
        if share < 1 and self._chance() >= share:
            return
        try:
            line = self._renderer.line(record)
        except ValueError:
            self._writer.dropped += 1
            return
        self._writer.offer_all((line if share >= 1 else self._renderer.with_rate(line, self._rates[share]),))

    def write_notes(self, notes: list[CompactRecord], wall_minus_monotonic_s: float) -> None:
        """Have the lines of noted exchanges written."""
        renderer, sampling = self._renderer, self._sampling
        if sampling is None:
            self._writer.offer_all([renderer.note_line(note, wall_minus_monotonic_s) for note in notes])
            return
        lines: list[bytes] = []
        facts: RecordTemplate | None = None
        share = 1.0
        for note in notes:
            if note.facts is not facts:  # those of the one before as a rule
                facts = note.facts
                share = _share_of_notes(facts, sampling)
            if share >= 1 or sampling.is_slow(note.took_us / 1000):
                lines.append(renderer.note_line(note, wall_minus_monotonic_s))
            elif self._chance() < share:
                line = renderer.note_line(note, wall_minus_monotonic_s)
                lines.append(renderer.with_rate(line, self._rates[share]))
        if lines:
            self._writer.offer_all(lines)


def _share_of(record: ExchangeRecord, sampling: LineSampling) -> float:
    if record.error or record.refused is not None or sampling.is_slow(record.duration_ms):
        return 1.0
    return sampling.share(is_hit=record.cache in HIT_RESULTS, status=record.status)


def _share_of_notes(facts: RecordTemplate, sampling: LineSampling) -> float:
    """Of those that are not slow."""
    return 1.0 if facts.refused is not None else sampling.share(is_hit=facts.cache in HIT_RESULTS, status=facts.status)
