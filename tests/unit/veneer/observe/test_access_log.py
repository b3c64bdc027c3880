from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.unit.veneer.observe.records import note, record
from veneer.core.line_sampling import LineSampling
from veneer.observe.access_log import Lines
from veneer.observe.lines import JsonLines, TextLines
from veneer.observe.repeats import RecordTemplate
from veneer.observe.writer import LineWriter
from veneer.pipeline.exchange import CacheResult, Refusal

HIT = RecordTemplate("GET", "users", 200, "", CacheResult.HIT)
MISS = RecordTemplate("GET", "users", 200, "", CacheResult.MISS)
LATE = RecordTemplate("GET", "users", 404, "", CacheResult.HIT)
REFUSED = RecordTemplate("GET", "users", 200, refused=Refusal.RATE)
FEW = LineSampling(hits=0.2, others=0.5, slow_ms=100.0)


class Log:
    """An access log, and what was written to it once that is asked for."""

    def __init__(self, renderer: JsonLines | TextLines) -> None:
        self._reader, self._end = os.pipe()
        self._writer = LineWriter(self._end)
        tenths = itertools.cycle(number / 10 for number in range(10))
        self.lines = Lines(renderer, self._writer, tenths.__next__)

    def written(self) -> list[bytes]:
        self._writer.close()
        os.close(self._end)
        with os.fdopen(self._reader, "rb") as file:
            return file.read().splitlines()


@contextmanager
def json_log() -> Iterator[tuple[Log, list[dict[str, object]]]]:
    log, found = Log(JsonLines()), list[dict[str, object]]()
    yield log, found
    found += [json.loads(line) for line in log.written()]


def test_everything_is_written_until_somebody_says_otherwise() -> None:
    with json_log() as (log, found):
        for number in range(10):
            log.lines.write(record(request_id=f"r{number}", cache=CacheResult.HIT))
        log.lines.sample(FEW)
        log.lines.sample(LineSampling())
        log.lines.write_notes([note(HIT)] * 10, 0.0)
    assert len(found) == 20
    assert not any("sample_rate" in line for line in found)


@pytest.mark.parametrize(
    ("cache", "kept", "rate"),
    [
        (CacheResult.HIT, 2, 0.2),
        (CacheResult.STALE, 2, 0.2),
        (CacheResult.COLLAPSED, 2, 0.2),
        (CacheResult.MISS, 5, 0.5),
        (CacheResult.REVALIDATED, 5, 0.5),
        (CacheResult.BYPASS, 5, 0.5),
        (CacheResult.NONE, 5, 0.5),
    ],
)
def test_a_share_is_written_and_each_line_says_which(cache: CacheResult, kept: int, rate: float) -> None:
    """Of records and of notes alike."""
    with json_log() as (log, found):
        log.lines.sample(FEW)
        for _ in range(10):
            log.lines.write(record(cache=cache))
        log.lines.write_notes([note(RecordTemplate("GET", "users", 200, "", cache))] * 10, 0.0)
    assert [line["sample_rate"] for line in found] == [rate] * 2 * kept


def test_what_somebody_will_look_for_is_written_always_and_stands_for_itself() -> None:
    with json_log() as (log, found):
        log.lines.sample(LineSampling(hits=0.0, others=0.0, slow_ms=100.0))
        log.lines.write(record(request_id="plain", cache=CacheResult.HIT))
        log.lines.write(record(request_id="status", status=404))
        log.lines.write(record(request_id="error", error="the client closed the connection"))
        log.lines.write(record(request_id="refused", refused=Refusal.RATE))
        log.lines.write(record(request_id="slow", duration_ms=100.0))
        noted = [note(HIT, request_id=b"n-plain"), note(LATE, request_id=b"n-status"), note(MISS, request_id=b"n-miss")]
        noted += [note(REFUSED, request_id=b"n-refused"), note(HIT, request_id=b"n-slow", took_us=100_000)]
        log.lines.write_notes(noted, 0.0)
    ids = [line["request_id"] for line in found]
    assert ids == ["status", "error", "refused", "slow", "n-status", "n-refused", "n-slow"]
    assert not any("sample_rate" in line for line in found)


def test_what_is_left_out_costs_no_line_and_counts_as_no_loss() -> None:
    log = Log(JsonLines())
    log.lines.sample(LineSampling(hits=0.0, others=0.0))
    log.lines.write(record(path="\ud800"))
    log.lines.write_notes([note(HIT)] * 3, 0.0)
    assert log.written() == []


def test_people_read_the_rate_at_the_end() -> None:
    log = Log(TextLines())
    log.lines.sample(FEW)
    for _ in range(10):
        log.lines.write(record(cache=CacheResult.HIT))
    lines = log.written()
    assert len(lines) == 2
    assert all(line.endswith(b"id=r1 sample_rate=0.2") for line in lines)
