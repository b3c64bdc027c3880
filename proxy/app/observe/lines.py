"""One line of text for each exchange, and for each message of the proxy itself."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from typing import Final, Protocol

from proxy.app.observe.patterns import encode, pattern_of
from proxy.app.observe.repeats import Facts, Note, record_of
from proxy.app.observe.writer import LineWriter
from proxy.pipeline.exchange import CacheUse, ExchangeRecord

_MOST: Final = 4096
"""Patterns and texts remembered at most."""
_TOOK: Final = [encode(took_us / 1000) for took_us in range(1000)]
"""Milliseconds as they stand in a line, by microseconds."""
_MILLIS: Final = [b'%03dZ"' % millis for millis in range(1000)]
_NUMBERS: Final = [b"%d" % number for number in range(1000)]

Kind = tuple[Facts, str, str, bool, bool, bool, bool, bool]
"""What decides on the fixed pieces of a line: facts, client, agent; whether there are query, size, identity, limit, and
no time of the backend."""


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


class NotePieces:
    """What stands before each of the values that differ among notes of one kind, and after the last."""

    __slots__ = (
        "at_id",
        "at_identity",
        "at_path",
        "at_query",
        "at_remaining",
        "at_size",
        "at_took",
        "at_upstream",
        "end",
        "kind",
    )

    def __init__(self, kind: Kind, record: ExchangeRecord) -> None:
        """Read the pieces off the line of one such note's record."""
        at_id, at_client, at_path, at_took, at_query, at_size, at_identity, *more = pattern_of(record)
        at_upstream, at_remaining, at_agent, end = more
        _, client, agent, *_ = kind
        self.kind = kind
        self.at_id = at_id
        self.at_path = at_client + _text(client) + at_path
        self.at_took = at_took
        self.at_query = at_query
        self.at_size = at_size
        self.at_identity = at_identity
        self.at_upstream = at_upstream
        self.at_remaining = at_remaining
        self.end = at_agent + _text(agent) + end


class JsonLines:
    """One JSON object for a record: its members by name, those at their defaults left out, the time as text.

    Of notes it remembers what the last one had in common with many: the next one is like it as a rule.
    """

    __slots__ = (
        "_calendar",
        "_last",
        "_millisecond",
        "_path",
        "_pieces",
        "_plain",
        "_query",
        "_second",
        "_stamp",
        "_target",
    )

    def __init__(self) -> None:
        self._millisecond = -1
        self._second = -1
        self._calendar = b""
        self._stamp = b""
        self._pieces: dict[Kind, NotePieces] = {}
        self._last: NotePieces | None = None
        self._target = self._path = self._query = b""
        self._plain = False

    def line(self, record: ExchangeRecord) -> bytes:
        """The record's line."""
        line = encode(record)
        # `time` is the first member and always there, so its number ends at the first comma.
        return b"%b%b\n" % (self._time(record.time), line[line.index(b",") :])

    def note_line(self, note: Note, apart_s: float) -> bytes:
        """The line that the note's record would have."""
        facts, started_s, target, request_id, client, took_us, size, identity, remaining, agent, upstream_us = note
        if target != self._target:
            self._read_target(target)
        if not self._plain:
            return self.line(record_of(note, apart_s))
        kind = (
            facts,
            client,
            agent,
            len(self._path) < len(target),
            size > 0,
            identity > 0,
            remaining is None,
            upstream_us is None,
        )
        pieces = self._last
        if pieces is None or pieces.kind != kind:
            pieces = self._pieces_for(kind, note, apart_s)
        return b"%b%b%b%b%b%b%b%b%b%b%b%b%b%b%b%b%b%b" % (
            self._time(started_s + apart_s),
            pieces.at_id,
            request_id,
            pieces.at_path,
            self._path,
            pieces.at_took,
            _millis(took_us),
            pieces.at_query,
            self._query,
            pieces.at_size,
            _number(size) if size else b"",
            pieces.at_identity,
            _number(identity) if identity else b"",
            pieces.at_upstream,
            b"" if upstream_us is None else _millis(upstream_us),
            pieces.at_remaining,
            b"" if remaining is None else _number(remaining),
            pieces.end,
        )

    def _read_target(self, target: bytes) -> None:
        """Take a target apart, and see whether a line may hold it as it is."""
        self._target = target
        self._path, _, self._query = target.partition(b"?")
        self._plain = target.find(b'"') < 0 and target.find(b"\\") < 0  # `in` first takes the octets for a number

    def _pieces_for(self, kind: Kind, note: Note, apart_s: float) -> NotePieces:
        """The pieces for notes of this kind."""
        pieces = self._pieces.get(kind)
        if pieces is None:
            if len(self._pieces) >= _MOST:
                self._pieces.clear()
            pieces = self._pieces[kind] = NotePieces(kind, record_of(note, apart_s))
        self._last = pieces
        return pieces

    def _time(self, seconds: float) -> bytes:
        """The beginning of a line; those of one millisecond share it, for the calendar is slower than all the rest."""
        millisecond = int(seconds * 1_000 + 0.5)
        if millisecond != self._millisecond:
            self._millisecond = millisecond
            whole = millisecond // 1_000
            if whole != self._second:
                self._second, self._calendar = whole, b'{"time":"%b.' % _calendar(whole).encode()
            self._stamp = self._calendar + _MILLIS[millisecond - whole * 1_000]
        return self._stamp


def _text(text: str) -> bytes:
    """A JSON text without its quotes."""
    return encode(text)[1:-1]


def _millis(duration_us: int) -> bytes:
    """Microseconds in milliseconds, as they stand in a line."""
    return _TOOK[duration_us] if duration_us < 1000 else encode(duration_us / 1000)


def _number(number: int) -> bytes:
    return _NUMBERS[number] if number < 1000 else b"%d" % number


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
