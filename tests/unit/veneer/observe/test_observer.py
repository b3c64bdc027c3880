from __future__ import annotations

import json
import os
from collections.abc import Callable

from tests.support.clock import ManualClock
from tests.unit.veneer.observe.records import note, quiet_observer, record
from veneer.core.line_sampling import LineSampling
from veneer.observe.access_log import Lines
from veneer.observe.counters import Counts
from veneer.observe.lines import JsonLines
from veneer.observe.observer import MAX_NOTES, Observer
from veneer.observe.repeats import CompactRecord, RecordTemplate
from veneer.observe.writer import LineWriter
from veneer.pipeline.exchange import CacheResult, ExchangeRecord, Refusal

HIT = RecordTemplate("GET", "users", 200, "br", CacheResult.HIT)
REFUSED = RecordTemplate("HEAD", "users", 429, refused=Refusal.RATE)


class Desk:
    """An observer, what it wrote, and the calls that it wants later."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.later: list[Callable[[], None]] = []
        self._reader, self._writer = os.pipe()
        self._lines = LineWriter(self._writer)
        self.seen: list[ExchangeRecord] = []
        self.observer = Observer(
            Lines(JsonLines(), self._lines),
            [self.seen.append],
            clock=self.clock,
            later=lambda _delay, call: self.later.append(call),
        )

    def lines(self) -> list[dict[str, object]]:
        """Every line; the end of it all."""
        self._lines.close()
        os.close(self._writer)
        with os.fdopen(self._reader, "rb") as file:
            return [json.loads(line) for line in file]

    def note(
        self,
        name: str,
        facts: RecordTemplate = HIT,
        *,
        remaining: int | None = 7,
        took_us: int = 1250,
        upstream_us: int | None = None,
    ) -> CompactRecord:
        return note(
            facts,
            self.clock.monotonic(),
            b"/a?b=%20",
            name.encode(),
            took_us=took_us,
            bytes_out=10,
            bytes_identity=30 if facts.coding else 0,
            remaining=remaining,
            agent="x/1",
            upstream_us=upstream_us,
        )


def test_an_exchange_is_counted_written_and_shown() -> None:
    desk = Desk()
    desk.observer.begin()
    desk.observer.finish(record(request_id="abc"))
    assert [one.request_id for one in desk.seen] == ["abc"]
    assert desk.observer.counts.routes[""].requests == {"GET": [0, 0, 1, 0, 0, 0]}
    assert [line["request_id"] for line in desk.lines()] == ["abc"]


def test_a_note_becomes_the_record_of_its_exchange() -> None:
    desk = Desk()
    desk.observer.note(desk.note("abc"))
    desk.clock.advance(3)
    desk.later[0]()
    assert desk.seen == [
        ExchangeRecord(
            time=desk.clock.now() - 3,
            request_id="abc",
            client="192.0.2.1",
            method="GET",
            path="/a",
            query="b=%20",
            route="users",
            status=200,
            duration_ms=1.25,
            bytes_out=10,
            bytes_identity=30,
            cache=CacheResult.HIT,
            coding="br",
            rate_remaining=7,
            user_agent="x/1",
        )
    ]


def test_notes_are_counted_before_anybody_reads() -> None:
    desk = Desk()
    desk.observer.note(desk.note("a"))
    desk.observer.note(desk.note("b", REFUSED, remaining=0))
    counts = desk.observer.counts
    assert counts.active == 0
    assert counts.refused == {"rate": 1}
    assert counts.routes["users"].requests == {"GET": [0, 0, 1, 0, 0, 0], "HEAD": [0, 0, 0, 0, 1, 0]}
    assert counts.routes["users"].cache == {"hit": 1, "none": 1}
    assert counts.routes["users"].bytes_saved == 20
    assert counts.routes["users"].bytes_out == 20


def test_notes_count_like_their_records() -> None:
    desk = Desk()
    other = RecordTemplate("PROPFIND", "posts", 200)
    for took_us in (0, 250, 251, 500, 30_000_000, 30_000_001):
        for facts in (HIT, REFUSED, other):
            desk.observer.note(desk.note("a", facts, took_us=took_us, upstream_us=took_us // 2))
    counts = desk.observer.counts
    expected = Counts()
    for one in desk.seen:
        expected.count(one)
    assert counts == expected
    desk.observer.note(desk.note("b"))
    assert desk.observer.counts.routes["users"].requests["GET"] == [0, 0, 7, 0, 0, 0]


def test_facts_of_policies_past_are_let_go_of() -> None:
    desk = Desk()
    for number in range(3_000):
        desk.observer.note(desk.note("a", RecordTemplate("GET", f"r{number % 7}", 200)))
    assert sum(route.requests["GET"][2] for route in desk.observer.counts.routes.values()) == 3_000


def test_lines_come_in_the_order_of_the_exchanges() -> None:
    desk = Desk()
    desk.observer.note(desk.note("a"))
    desk.observer.note(desk.note("b"))
    desk.observer.begin()
    desk.observer.finish(record(request_id="c"))
    desk.observer.note(desk.note("d"))
    desk.observer.work_off()
    assert [line["request_id"] for line in desk.lines()] == ["a", "b", "c", "d"]


def test_notes_wait_for_a_while_or_for_each_other() -> None:
    desk = Desk()
    for number in range(MAX_NOTES - 1):
        desk.observer.note(desk.note(str(number)))
    assert (len(desk.later), len(desk.seen)) == (1, 0)
    desk.observer.note(desk.note("last"))
    assert len(desk.seen) == MAX_NOTES
    desk.later.pop()()
    assert len(desk.seen) == MAX_NOTES
    desk.observer.note(desk.note("another"))
    assert len(desk.later) == 1


def test_another_sampling_is_for_what_comes_after_it() -> None:
    desk = Desk()
    desk.observer.note(desk.note("before"))
    desk.observer.sample(LineSampling(hits=0.0))
    desk.observer.note(desk.note("after"))
    desk.observer.sample(LineSampling())
    desk.observer.note(desk.note("again"))
    assert desk.observer.counts.routes["users"].cache["hit"] == 3
    assert [line["request_id"] for line in desk.lines()] == ["before", "again"]
    quiet_observer().sample(LineSampling(hits=0.0))
