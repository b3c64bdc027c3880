"""One line of text for each exchange, and for each message of the proxy itself."""

from __future__ import annotations

import json
import logging
import time
from abc import ABC, abstractmethod
from typing import Final

from mypy_extensions import i64

from veneer.core.redact import redacted
from veneer.observe.patterns import encode, pattern_of
from veneer.observe.repeats import NONE, CompactRecord, RecordTemplate, record_of
from veneer.pipeline.exchange import CacheResult, ExchangeRecord

_MOST: Final = 4096
"""Pieces of lines remembered at most."""
_TOOK: Final = [encode(took_us / 1000) for took_us in range(1000)]
"""Milliseconds as they stand in a line, by microseconds."""
_FRACTIONS: Final = [took[1:] for took in _TOOK]
_NUMBERS: Final = [b"%d" % number for number in range(1000)]
_LAST_DIGITS: Final = [b"%03d" % number for number in range(1000)]

# Which of the members that a line may leave out are there.
_QUERY: Final = 1
_SIZE: Final = 2
_IDENTITY: Final = 4
_LIMIT: Final = 8
_UPSTREAM: Final = 16
_CONTENT: Final = 32
_RARE: Final = _QUERY | _IDENTITY | _UPSTREAM | _CONTENT

Kind = tuple[RecordTemplate, str, str, int]
"""What decides on the fixed pieces of a line: facts, client, agent, and the members that are there."""


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as UTC with milliseconds (RFC 3339)."""
    whole, millis = divmod(round(seconds * 1_000), 1_000)
    return f"{_calendar(whole)}.{millis:03d}Z"


def _calendar(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


class Renderer(ABC):
    """Makes lines."""

    @abstractmethod
    def line(self, record: ExchangeRecord) -> bytes:
        """The line of one exchange."""

    @abstractmethod
    def with_rate(self, line: bytes, rate: bytes) -> bytes:
        """A line of which only this share is written, saying so; the number is written out already."""

    def note_line(self, note: CompactRecord, wall_minus_monotonic_s: float) -> bytes:
        """The line of one noted exchange, equal to that of its record (repeats.record_of)."""
        return self.line(record_of(note, wall_minus_monotonic_s))


class NotePieces:
    """What stands before each of the values that differ among notes of one kind, and after the last."""

    __slots__ = (
        "_agent",
        "_client",
        "_facts",
        "_members",
        "at_content",
        "at_id",
        "at_identity",
        "at_path",
        "at_query",
        "at_remaining",
        "at_size",
        "at_took",
        "at_upstream",
        "end",
    )

    def __init__(self, kind: Kind, record: ExchangeRecord) -> None:
        """Read the pieces off the line of one such note's record."""
        at_id, at_client, at_path, at_took, at_query, *more = pattern_of(record)
        at_content, at_size, at_identity, at_upstream, at_remaining, at_agent, end = more
        facts, client, agent, members = kind
        self._facts = facts
        self._client = client
        self._agent = agent
        self._members: i64 = members
        self.at_id = at_id
        self.at_path = at_client + _text(client) + at_path
        self.at_took = at_took
        self.at_query = at_query
        self.at_content = at_content
        self.at_size = at_size
        self.at_identity = at_identity
        self.at_upstream = at_upstream
        self.at_remaining = at_remaining
        self.end = at_agent + _text(agent) + end

    def fit(self, note: CompactRecord, members: i64) -> bool:
        """Whether they are those of this note."""
        return (
            self._facts is note.facts
            and self._members == members
            and self._client == note.client
            and self._agent == note.agent
        )


class JsonLines(Renderer):
    """One JSON object for a record: its members by name, those at their defaults left out, the time as text.

    Of notes it remembers what the last one had in common with many: the next one is like it as a rule.
    """

    __slots__ = (
        "_after_seconds",
        "_calendar",
        "_last",
        "_path",
        "_pieces",
        "_plain",
        "_query",
        "_second",
        "_target",
    )

    def __init__(self, node: str | None = None) -> None:
        """`node` is the member after the time in each line, where there is one."""
        self._second: i64 = -1
        # What is the same in each line costs nothing beside what differs.
        member = b"" if node is None else b',"node":' + encode(node)
        self._after_seconds: list[bytes] = [b'%03dZ"%b' % (millis, member) for millis in range(1000)]
        self._calendar = b""
        self._pieces: dict[Kind, NotePieces] = {}
        self._last: NotePieces | None = None
        self._target = self._path = self._query = b""
        self._plain = False

    def line(self, record: ExchangeRecord) -> bytes:
        """The record's line."""
        line = encode(record)
        millisecond = _millisecond(record.time)
        # `time` is the first member and always there, so its number ends at the first comma.
        return b"%b%b%b\n" % (
            self._until(millisecond),
            self._after_seconds[millisecond % 1000],
            line[line.index(b",") :],
        )

    def with_rate(self, line: bytes, rate: bytes) -> bytes:
        """The line with one more member."""
        return b'%b,"sample_rate":%b}\n' % (line[:-2], rate)

    def note_line(self, note: CompactRecord, wall_minus_monotonic_s: float) -> bytes:
        """The line that the note's record would have."""
        if note.target != self._target:
            self._read_target(note.target)
        if not self._plain:
            return self.line(record_of(note, wall_minus_monotonic_s))
        members = self._members(note)
        pieces = self._last
        if pieces is None or not pieces.fit(note, members):
            pieces = self._pieces_for(note, members, wall_minus_monotonic_s)
        millisecond = _millisecond(note.started_s + wall_minus_monotonic_s)
        if members & _RARE:
            return self._full_line(note, members, pieces, millisecond)
        return b"%b%b%b%b%b%b%b%b%b%b%b%b%b" % (
            self._until(millisecond),
            self._after_seconds[millisecond % 1000],
            pieces.at_id,
            note.request_id,
            pieces.at_path,
            self._path,
            pieces.at_took,
            _millis(note.took_us),
            pieces.at_size,
            _number(note.bytes_out) if members & _SIZE else b"",
            pieces.at_remaining,
            _number(note.remaining) if members & _LIMIT else b"",
            pieces.end,
        )

    def _full_line(self, note: CompactRecord, members: i64, pieces: NotePieces, millisecond: i64) -> bytes:
        """The line of a note with any members: what stands before one that is left out is empty as well."""
        took_us, upstream_us = note.took_us, note.upstream_us
        asked = members & _UPSTREAM != 0
        return b"%b%b%b%b%b%b%b%b%b%b%b%b%b%b%b%b%b%b%b%b%b%b%b" % (
            self._until(millisecond),
            self._after_seconds[millisecond % 1000],
            pieces.at_id,
            note.request_id,
            pieces.at_path,
            self._path,
            pieces.at_took,
            _number(took_us // 1000),
            _FRACTIONS[took_us % 1000],
            pieces.at_query,
            self._query,
            pieces.at_content,
            _number(note.bytes_in) if members & _CONTENT else b"",
            pieces.at_size,
            _number(note.bytes_out) if members & _SIZE else b"",
            pieces.at_identity,
            _number(note.bytes_identity) if members & _IDENTITY else b"",
            pieces.at_upstream,
            _number(upstream_us // 1000) if asked else b"",
            _FRACTIONS[upstream_us % 1000] if asked else b"",
            pieces.at_remaining,
            _number(note.remaining) if members & _LIMIT else b"",
            pieces.end,
        )

    def _read_target(self, target: bytes) -> None:
        """Take a target apart, and see whether a line may hold it as it is."""
        text = target.decode("ascii")  # to look for a character in a text costs a fifth of what it costs in bytes
        self._target = target
        self._plain = '"' not in text and "\\" not in text
        self._path, self._query = target, b""
        if "?" in text:
            question = text.find("?")
            self._path, self._query = target[:question], redacted(text[question + 1 :]).encode("ascii")

    def _members(self, note: CompactRecord) -> i64:
        """Which members there are."""
        members: i64 = 0
        if len(self._path) < len(note.target):
            members |= _QUERY
        if note.bytes_out:
            members |= _SIZE
        if note.bytes_in:
            members |= _CONTENT
        if note.bytes_identity:
            members |= _IDENTITY
        if note.remaining != NONE:
            members |= _LIMIT
        if note.upstream_us != NONE:
            members |= _UPSTREAM
        return members

    def _pieces_for(self, note: CompactRecord, members: i64, wall_minus_monotonic_s: float) -> NotePieces:
        """The pieces for notes of this kind."""
        kind = (note.facts, note.client, note.agent, int(members))
        pieces = self._pieces.get(kind)
        if pieces is None:
            if len(self._pieces) >= _MOST:
                self._pieces.clear()
            pieces = self._pieces[kind] = NotePieces(kind, record_of(note, wall_minus_monotonic_s))
        self._last = pieces
        return pieces

    def _until(self, millisecond: i64) -> bytes:
        """The beginning of a line up to its milliseconds; the calendar is slower than all the rest."""
        second = millisecond // 1000
        if second != self._second:
            self._second, self._calendar = second, b'{"time":"%b.' % _calendar(second).encode()
        return self._calendar


def _millisecond(seconds: float) -> i64:
    return int(seconds * 1_000 + 0.5)


def _text(text: str) -> bytes:
    """A JSON text without its quotes."""
    return encode(text)[1:-1]


def _millis(duration_us: i64) -> bytes:
    """Microseconds in milliseconds, as they stand in a line."""
    if duration_us < 1000:
        return _TOOK[duration_us]
    return b"%b%b" % (_number(duration_us // 1000), _FRACTIONS[duration_us % 1000])


def _number(number: i64) -> bytes:
    if number < 1000:
        return _NUMBERS[number]
    if number < 1_000_000:
        return b"%b%b" % (_NUMBERS[number // 1000], _LAST_DIGITS[number % 1000])
    return b"%d" % number


class TextLines(Renderer):
    """One line for people: time, client, request, status, bytes, milliseconds, then what else there is to say."""

    def line(self, record: ExchangeRecord) -> bytes:
        """The record's line."""
        target = record.path if record.query is None else f"{record.path}?{record.query}"
        parts = [
            timestamp(record.time),
            record.client,
            record.method,
            target,
            str(record.status),
            f"{record.bytes_out}B" if record.end is None else f"{record.bytes_in}B+{record.bytes_out}B",
            f"{record.duration_ms:.1f}ms",
            "" if record.cache is CacheResult.NONE else record.cache.value,
            f"why={record.cache_reason}" if record.cache_reason else "",
            record.coding,
            "" if record.refused is None else f"refused={record.refused.value}",
            "" if record.end is None else f"end={record.end.value}",
            "" if record.identity is None else ",".join([f"{who}={what}" for who, what in record.identity.items()]),
            f"target={record.target}" if record.target else "",
            f"attempts={record.attempts}" if record.attempts else "",
            f"id={record.request_id}",
            f"error={record.error}" if record.error else "",
        ]
        return " ".join(_one_word(part) for part in parts if part).encode("latin-1", "backslashreplace") + b"\n"

    def with_rate(self, line: bytes, rate: bytes) -> bytes:
        """The line with one more word."""
        return b"%b sample_rate=%b\n" % (line[:-1], rate)


def _one_word(text: str) -> str:
    """Text that cannot start a line of its own nor move a terminal's cursor; a space stays only inside quotes."""
    if text.isascii() and text.isprintable():
        return f'"{text}"' if " " in text else text
    return json.dumps(text)


class JsonMessages(logging.Formatter):
    """The proxy's own messages, one JSON object a line; `node` is in each, where there is one."""

    def __init__(self, node: str | None = None) -> None:
        super().__init__()
        self._node = {} if node is None else {"node": node}

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, logger and message; the traceback where there is one."""
        members = {
            "time": timestamp(record.created),
            **self._node,
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
