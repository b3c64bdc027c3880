"""One JSON object per log line, written by a thread of its own so that the event loop never waits for a pipe."""

import datetime as dt
import logging
import queue
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import QueueHandler, QueueListener

import msgspec

_QUEUE_LINES = 10_000
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Time, level, logger, message, then whatever `extra` carried."""

    def format(self, record: logging.LogRecord) -> str:
        """Render one record."""
        line: dict[str, object] = {
            "time": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


class _DroppingHandler(QueueHandler):
    """Drops lines when the reader of stdout is stuck, rather than growing or blocking."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        if not isinstance(sys.exc_info()[1], queue.Full):
            super().handleError(record)


@contextmanager
def json_logging(level: str) -> Iterator[None]:
    """Log to stdout as JSON lines while the block runs; flush what is queued when it ends."""
    lines: queue.Queue[logging.LogRecord] = queue.Queue(_QUEUE_LINES)
    output = logging.StreamHandler(sys.stdout)
    output.setFormatter(JsonFormatter())
    root = logging.getLogger()
    handler = _DroppingHandler(lines)
    listener = QueueListener(lines, output)
    previous_level = root.level
    root.addHandler(handler)
    root.setLevel(level)
    listener.start()
    try:
        yield
    finally:
        listener.stop()
        root.removeHandler(handler)
        root.setLevel(previous_level)
