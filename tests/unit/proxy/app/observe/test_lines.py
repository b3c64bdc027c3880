from __future__ import annotations

import json
import logging

import pytest

from proxy.app.observe.lines import JsonMessages, TextMessages, json_renderer, text_renderer, timestamp
from proxy.pipeline.exchange import CacheUse, Refusal
from tests.unit.proxy.app.observe.records import record

HOSTILE = '/a"b\\c\r\nforged \x1b[2J\x00\x85\xff'


def test_a_plain_exchange_is_one_short_object() -> None:
    assert json.loads(json_renderer()(record())) == {
        "time": "2026-11-18T11:06:40.125Z",
        "request_id": "r1",
        "client": "192.0.2.1",
        "method": "GET",
        "path": "/a",
        "status": 200,
        "duration_ms": 1.5,
    }


def test_everything_that_was_recorded_is_in_the_line() -> None:
    full = record(
        query="x=1",
        route="users",
        bytes_in=1,
        bytes_out=2,
        bytes_identity=3,
        upstream_ms=0.5,
        cache=CacheUse.MISS,
        cache_forward="uri-miss",
        cache_reason="stored",
        coding="br",
        rate_remaining=7,
        refused=Refusal.RATE,
        error="reset",
        user_agent="curl",
        trace_id="t",
        span_id="s",
        parent_id="p",
        sampled=True,
    )
    line = json.loads(json_renderer()(full))
    assert set(line) == set(full.__struct_fields__)
    assert (line["cache"], line["refused"], line["rate_remaining"]) == ("miss", "rate", 7)


@pytest.mark.parametrize("member", ["path", "query", "request_id", "client", "method", "user_agent", "error"])
def test_hostile_text_stays_in_its_place(member: str) -> None:
    line = json_renderer()(record(**{member: HOSTILE}))
    assert line.count(b"\n") == 1
    assert json.loads(line)[member] == HOSTILE


@pytest.mark.parametrize("member", ["path", "query", "request_id", "client", "method", "error"])
def test_text_lines_show_hostile_text_escaped(member: str) -> None:
    line = text_renderer()(record(**{member: HOSTILE}))
    assert line.endswith(b"\n")
    assert line[:-1].decode("ascii").isprintable()


def test_a_text_line_reads_from_left_to_right() -> None:
    line = text_renderer()(record(query="q=1", cache=CacheUse.HIT, coding="br", bytes_out=12, refused=Refusal.LOAD))
    assert line == (b"2026-11-18T11:06:40.125Z 192.0.2.1 GET /a?q=1 200 12B 1.5ms hit br refused=load id=r1\n")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "1970-01-01T00:00:00.000Z"), (0.9996, "1970-01-01T00:00:01.000Z"), (1.25, "1970-01-01T00:00:01.250Z")],
)
def test_times_are_utc_to_the_millisecond(seconds: float, text: str) -> None:
    assert timestamp(seconds) == text


def message(text: str, error: Exception | None = None) -> logging.LogRecord:
    info = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord("proxy.x", logging.WARNING, "f", 1, text, ("a\nb",), info)


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
    assert TextMessages().format(message("lost %s")).endswith("Z WARNING proxy.x: lost a\\nb")
    lines = TextMessages().format(message("lost %s", RuntimeError("boom"))).splitlines()
    assert (len(lines), lines[1]) == (2, "RuntimeError: boom")
