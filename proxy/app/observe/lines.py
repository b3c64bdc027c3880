"""One line of text for each exchange, and for each message of the proxy itself."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from typing import Protocol

from proxy.app.observe.patterns import Pattern, encode, pattern_of
from proxy.app.observe.repeats import Facts, Note, record_of
from proxy.app.observe.writer import LineWriter
from proxy.pipeline.exchange import CacheUse, ExchangeRecord

_MOST = 4096
"""Patterns and texts remembered at most."""
_TOOK = tuple(encode(took_us / 1000) for took_us in range(1000))
"""Milliseconds as they stand in a line, by microseconds."""


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as UTC with milliseconds (RFC 3339)."""
    whole, millis = divmod(round(seconds * 1_000), 1_000)
    return f"{_calendar(whole)}.{millis:03d}Z"


def _calendar(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


class Renderer(Protocol):
    """Makes lines."""

    def line(self, record: ExchangeRecord) -> bytes:
        """The line of one exchange."""
        ...

    def note_line(self, note: Note, apart_s: float) -> bytes:
        """The line of one noted exchange, equal to that of its record (`apart_s` as in repeats.record_of)."""
        ...


class Lines:
    """The access log: lines from a renderer to a writer. What cannot be rendered counts as dropped."""

    def __init__(self, renderer: Renderer, writer: LineWriter) -> None:
        self._renderer = renderer
        self._writer = writer

    def write(self, record: ExchangeRecord) -> None:
        """Have one exchange's line written."""
        try:
            self._writer.offer(self._renderer.line(record))
        except ValueError:
            self._writer.dropped += 1

    def write_notes(self, notes: Sequence[Note], apart_s: float) -> None:
        """Have the lines of noted exchanges written."""
        line = self._renderer.note_line
        self._writer.offer(*[line(note, apart_s) for note in notes])


class JsonLines:
    """One JSON object for a record: its members by name, those at their defaults left out, the time as text."""

    def __init__(self) -> None:
        self._millisecond = -1
        self._second = -1
        self._calendar = b""
        self._stamp = b""
        self._patterns: dict[tuple[Facts, bytes, bool, bool, bool, bool], Pattern] = {}
        self._texts: dict[str, bytes] = {}

    def line(self, record: ExchangeRecord) -> bytes:
        """The record's line."""
        line = encode(record)
        # `time` is the first member and always there, so its number ends at the first comma.
        return b"%b%b\n" % (self._time(record.time), line[line.index(b",") :])

    def note_line(self, note: Note, apart_s: float) -> bytes:
        """The line that the note's record would have."""
        facts, started_s, target, request_id, client, took_us, size, identity, remaining, agent = note
        if b'"' in target or b"\\" in target:  # to be escaped
            return self.line(record_of(note, apart_s))
        path, question, query = target.partition(b"?")
        kind = (facts, question, size > 0, identity > 0, remaining is None, agent == "")
        pattern = self._patterns.get(kind)
        if pattern is None:
            pattern = self._remember(kind, record_of(note, apart_s))
        at_id, at_client, at_path, at_took, at_query, at_size, at_identity, at_remaining, at_agent, end = pattern
        return b"".join(
            (
                self._time(started_s + apart_s),
                at_id,
                request_id,
                at_client,
                self._texts.get(client) or self._text(client),
                at_path,
                path,
                at_took,
                _TOOK[took_us] if took_us < 1000 else encode(took_us / 1000),
                at_query,
                query,
                at_size,
                b"%d" % size if size else b"",
                at_identity,
                b"%d" % identity if identity else b"",
                at_remaining,
                b"" if remaining is None else b"%d" % remaining,
                at_agent,
                self._texts.get(agent) or self._text(agent),
                end,
            )
        )

    def _time(self, seconds: float) -> bytes:
        """The beginning of a line; those of one millisecond share it, for the calendar is slower than all the rest."""
        millisecond = round(seconds * 1_000)
        if millisecond != self._millisecond:
            self._millisecond = millisecond
            whole, millis = divmod(millisecond, 1_000)
            if whole != self._second:
                self._second, self._calendar = whole, _calendar(whole).encode()
            self._stamp = b'{"time":"%b.%03dZ"' % (self._calendar, millis)
        return self._stamp

    def _remember(self, kind: tuple[Facts, bytes, bool, bool, bool, bool], record: ExchangeRecord) -> Pattern:
        if len(self._patterns) >= _MOST:
            self._patterns.clear()
        pattern = self._patterns[kind] = pattern_of(record)
        return pattern

    def _text(self, text: str) -> bytes:
        """A JSON text without its quotes."""
        if len(self._texts) >= _MOST:
            self._texts.clear()
        octets = self._texts[text] = encode(text)[1:-1]
        return octets


class TextLines:
    """One line for people: time, client, request, status, octets, milliseconds, then what else there is to say."""

    def line(self, record: ExchangeRecord) -> bytes:
        """The record's line."""
        target = record.path if record.query is None else f"{record.path}?{record.query}"
        parts = [
            timestamp(record.time),
            record.client,
            record.method,
            target,
            str(record.status),
            f"{record.bytes_out}B",
            f"{record.duration_ms:.1f}ms",
            "" if record.cache is CacheUse.NONE else record.cache.value,
            record.coding,
            "" if record.refused is None else f"refused={record.refused.value}",
            f"id={record.request_id}",
            f"error={record.error}" if record.error else "",
        ]
        return " ".join(_one_word(part) for part in parts if part).encode("latin-1", "backslashreplace") + b"\n"

    def note_line(self, note: Note, apart_s: float) -> bytes:
        """The line of the note's record."""
        return self.line(record_of(note, apart_s))


def _one_word(text: str) -> str:
    """Text that cannot start a line of its own nor move a terminal's cursor; a space stays only inside quotes."""
    if text.isascii() and text.isprintable():
        return f'"{text}"' if " " in text else text
    return json.dumps(text)


class JsonMessages(logging.Formatter):
    """The proxy's own messages, one JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, logger and message; the traceback where there is one."""
        members = {
            "time": timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            members["traceback"] = self.formatException(record.exc_info)
        return json.dumps(members)


class TextMessages(logging.Formatter):
    """The proxy's own messages for people; a traceback follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, logger and message, control characters escaped."""
        message = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in record.getMessage())
        line = f"{timestamp(record.created)} {record.levelname} {record.name}: {message}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line
