from __future__ import annotations

import json
import logging
import os

import pytest

from tests.unit.veneer.observe.records import note, record
from veneer.observe.access_log import Lines
from veneer.observe.lines import JsonLines, JsonMessages, TextLines, TextMessages, timestamp
from veneer.observe.repeats import CompactRecord, RecordTemplate, record_of
from veneer.observe.writer import LineWriter
from veneer.pipeline.exchange import CacheResult, Refusal, TunnelEnd

HOSTILE = '/a"b\\c\r\nforged \x1b[2J\x00\x85\xff'


def test_a_plain_exchange_is_one_short_object() -> None:
    assert json.loads(JsonLines().line(record())) == {
        "time": "2026-11-18T11:06:40.125Z",
        "request_id": "r1",
        "client": "192.0.2.1",
        "method": "GET",
        "path": "/a",
        "status": 200,
        "duration_ms": 1.5,
    }


def test_the_nodes_name_stands_in_each_line_and_each_message() -> None:
    name = 'shop-6d"f\\-x'
    facts = RecordTemplate("GET", "all", 200, cache=CacheResult.HIT)
    noted = note(facts)
    for with_name, without in (
        (JsonLines(name).line(record()), JsonLines().line(record())),
        (JsonLines(name).note_line(noted, 0.0), JsonLines().note_line(noted, 0.0)),
    ):
        told = json.loads(with_name)
        assert list(told)[:2] == ["time", "node"]
        assert told.pop("node") == name
        assert told == json.loads(without)
    message = logging.LogRecord("x", logging.INFO, "", 0, "hello", None, None)
    assert json.loads(JsonMessages(name).format(message))["node"] == name
    assert "node" not in json.loads(JsonMessages().format(message))


def test_everything_that_was_recorded_is_in_the_line() -> None:
    full = record(
        query="x=1",
        route="users",
        bytes_in=1,
        bytes_out=2,
        bytes_identity=3,
        upstream_ms=0.5,
        cache=CacheResult.MISS,
        cache_forward="uri-miss",
        cache_reason="stored",
        coding="br",
        rate_remaining=7,
        refused=Refusal.RATE,
        end=TunnelEnd.CLIENT,
        error="reset",
        user_agent="curl",
        trace_id="t",
        span_id="s",
        parent_id="p",
        sampled=True,
        identity={"tenant": "1f"},
        scheme="https",
        target="192.0.2.9:8000",
        attempts=2,
    )
    line = json.loads(JsonLines().line(full))
    assert set(line) == set(full.__struct_fields__)
    assert (line["cache"], line["refused"], line["rate_remaining"]) == ("miss", "rate", 7)


@pytest.mark.parametrize("member", ["path", "query", "request_id", "client", "method", "user_agent", "error"])
def test_hostile_text_stays_in_its_place(member: str) -> None:
    line = JsonLines().line(record(**{member: HOSTILE}))
    assert line.count(b"\n") == 1
    assert json.loads(line)[member] == HOSTILE


@pytest.mark.parametrize("member", ["path", "query", "request_id", "client", "method", "error"])
def test_text_lines_show_hostile_text_escaped(member: str) -> None:
    line = TextLines().line(record(**{member: HOSTILE}))
    assert line.endswith(b"\n")
    assert line[:-1].decode("ascii").isprintable()


def test_a_text_line_reads_from_left_to_right() -> None:
    line = TextLines().line(record(query="q=1", cache=CacheResult.HIT, coding="br", bytes_out=12, refused=Refusal.LOAD))
    assert line == (b"2026-11-18T11:06:40.125Z 192.0.2.1 GET /a?q=1 200 12B 1.5ms hit br refused=load id=r1\n")


def test_a_text_line_says_why_there_was_no_hit() -> None:
    line = TextLines().line(record(cache=CacheResult.MISS, cache_forward="request", cache_reason="cookie"))
    assert line == b"2026-11-18T11:06:40.125Z 192.0.2.1 GET /a 200 0B 1.5ms miss why=cookie id=r1\n"


def test_a_text_line_tells_both_ways_of_a_tunnel() -> None:
    line = TextLines().line(record(status=101, bytes_in=7, bytes_out=12, end=TunnelEnd.DRAIN))
    assert line == b"2026-11-18T11:06:40.125Z 192.0.2.1 GET /a 101 7B+12B 1.5ms end=drain id=r1\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "1970-01-01T00:00:00.000Z"), (0.9996, "1970-01-01T00:00:01.000Z"), (1.25, "1970-01-01T00:00:01.250Z")],
)
def test_times_are_utc_to_the_millisecond(seconds: float, text: str) -> None:
    assert timestamp(seconds) == text


HIT = RecordTemplate("GET", 'a "route"', 200, "br", CacheResult.HIT)
PLAIN = RecordTemplate("GET", "", 200, cache=CacheResult.HIT)
REFUSED = RecordTemplate("HEAD", '","path":"/forged', 429, refused=Refusal.RATE)
MISS = RecordTemplate("GET", "a", 200, cache=CacheResult.MISS, cache_forward="uri-miss", cache_reason="no-store")
NOTES = [
    note(HIT, 1.0, bytes_out=10, bytes_identity=30, remaining=7),
    note(HIT, 2.9996, b"/b?", took_us=999, bytes_out=10, bytes_identity=30, remaining=0),
    note(HIT, 3.0, b"/c?x=1&y=?", client="2001:db8::1", took_us=1000, bytes_out=10, agent='say "x" \\'),
    note(PLAIN, 3.0004, client="unix", took_us=12, bytes_out=2048, agent=""),
    note(PLAIN, client="unix", took_us=25, remaining=12),
    note(REFUSED, request_id=b"r6", took_us=123_456, bytes_out=300, remaining=0),
    note(MISS, 3.0, b"/a?b=c", b"r8", took_us=950, bytes_out=10, remaining=7, upstream_us=700),
    note(MISS, request_id=b"r9", took_us=12_950, bytes_out=10, upstream_us=11_700),
    note(MISS, took_us=1_234_567, bytes_out=1_000, bytes_identity=999, remaining=1_000_000, upstream_us=3_600_000_100),
    note(PLAIN, 3.0, b"/a?", took_us=1_000_000, bytes_out=999_999, remaining=999_999, upstream_us=0),
    note(MISS, bytes_in=2, bytes_out=1_000, upstream_us=3),
    note(HIT, 3.0, b'/"path":"x"?"query":\\', took_us=7, bytes_out=10, bytes_identity=30, remaining=7),
    note(PLAIN, 3.0, b'/a"'),
    note(PLAIN, 3.0, b"/a\\?b"),
]


@pytest.mark.parametrize("renderer", [JsonLines(), TextLines()])
def test_a_note_has_the_line_of_its_record(renderer: JsonLines | TextLines) -> None:
    for one in NOTES * 2:
        assert renderer.note_line(one, 1_795_000_000.25) == renderer.line(record_of(one, 1_795_000_000.25))


def test_what_cannot_be_rendered_is_dropped_and_counted() -> None:
    reader, writer = os.pipe()
    out = LineWriter(writer)
    lines = Lines(JsonLines(), out)
    lines.write(record(path="\ud800"))
    lines.write(record(request_id="next"))
    out.close()
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        assert [json.loads(line)["request_id"] for line in file] == ["next"]
    assert out.dropped == 1


def message(text: str, error: Exception | None = None) -> logging.LogRecord:
    info = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord("veneer.x", logging.WARNING, "f", 1, text, ("a\nb",), info)


def test_own_messages_are_one_json_object_a_line() -> None:
    line = JsonMessages().format(message("lost %s"))
    assert "\n" not in line
    assert json.loads(line)["message"] == "lost a\nb"
    assert json.loads(line)["level"] == "warning"


def test_a_traceback_stays_in_the_object() -> None:
    line = JsonMessages().format(message("lost %s", RuntimeError("bo\nom")))
    assert "\n" not in line
    assert "RuntimeError: bo\nom" in json.loads(line)["traceback"]


def test_own_messages_as_text() -> None:
    assert TextMessages().format(message("lost %s")).endswith("Z WARNING veneer.x: lost a\\nb")
    lines = TextMessages().format(message("lost %s", RuntimeError("boom"))).splitlines()
    assert (len(lines), lines[1]) == (2, "RuntimeError: boom")


def test_secrets_in_a_target_are_masked_in_lines_of_records_and_of_notes() -> None:
    noted = CompactRecord(
        RecordTemplate("GET", "a", 200), "192.0.2.1", "", 1.0, b"/a?page=1&access_token=abc", b"id", 5
    )
    written = JsonLines().note_line(noted, 0.0)
    assert written == JsonLines().line(record_of(noted, 0.0))
    assert json.loads(written)["query"] == "page=1&access_token=***"


def test_who_asked_is_told_in_both_forms_and_of_notes_too() -> None:
    who = {"tenant": "1f", "user": "ann"}
    assert json.loads(JsonLines().line(record(identity=who)))["identity"] == who
    assert b" tenant=1f,user=ann " in TextLines().line(record(identity=who))
    facts = RecordTemplate("GET", "r", 200, cache=CacheResult.HIT, identity=who)
    assert json.loads(JsonLines().note_line(note(facts), 0.0))["identity"] == who
    plain = RecordTemplate("GET", "r", 200, cache=CacheResult.HIT)
    assert "identity" not in json.loads(JsonLines().note_line(note(plain), 0.0))
