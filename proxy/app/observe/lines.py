"""One line of text for each exchange, and for each message of the proxy itself."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable

import msgspec

from proxy.pipeline.exchange import CacheUse, ExchangeRecord

Render = Callable[[ExchangeRecord], bytes]


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as UTC with milliseconds (RFC 3339)."""
    whole, millis = divmod(round(seconds * 1_000), 1_000)
    return f"{_calendar(whole)}.{millis:03d}Z"


def _calendar(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def json_renderer() -> Render:
    """One JSON object for a record: its members by name, those at their defaults left out, the time as text."""
    encode = msgspec.json.Encoder().encode
    second, prefix = -1, b""

    def render(record: ExchangeRecord) -> bytes:
        nonlocal second, prefix
        whole, millis = divmod(round(record.time * 1_000), 1_000)
        if whole != second:  # a second's records share its text: the calendar is slower than all the rest
            second, prefix = whole, b'{"time":"%b.' % _calendar(whole).encode()
        # `time` is the first member and always there, so its number ends at the first comma.
        line = encode(record)
        return b'%b%03dZ"%b\n' % (prefix, millis, line[line.index(b",") :])

    return render


def text_renderer() -> Render:
    """One line for people: time, client, request, status, octets, milliseconds, then what else there is to say."""

    def render(record: ExchangeRecord) -> bytes:
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

    return render


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
