"""Writes lines without ever holding up the event loop: a bounded buffer, and a thread that empties it."""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

_GATHER_S = 0.05
"""How long the thread lets lines gather once there is one."""
_BATCH = 64
"""Lines rendered and written at once: few, since rendering holds the interpreter that the event loop is waiting for."""
_RETRY_S = 0.01


class LineWriter(Generic[T]):
    """Renders what it is offered and writes it to a file descriptor, in order, from a thread of its own.

    When `most` items wait, further ones are dropped and counted. A reader that is slow or gone costs lines, never time.
    `close` writes what waits, for at most `patience_s`; what is left then is counted as dropped.
    """

    def __init__(self, descriptor: int, render: Callable[[T], bytes], *, most: int = 16_384, name: str = "log") -> None:
        self._descriptor = descriptor
        self._render = render
        self._most = most
        self._waiting: deque[T] = deque()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def offer(self, item: T) -> None:
        """Have `item` written, or dropped when too many wait. Never blocks."""
        waiting = self._waiting
        if len(waiting) >= self._most or self._closing.is_set():
            self.dropped += 1
            return
        waiting.append(item)
        if not self._wake.is_set():
            self._wake.set()

    def close(self, patience_s: float = 2.0) -> None:
        """Write what waits, then end. Idempotent."""
        self._closing.set()
        self._wake.set()
        self._thread.join(patience_s)
        if self._thread.is_alive():
            self.dropped += len(self._waiting)

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._closing.wait(_GATHER_S)
            last = self._closing.is_set()
            self._wake.clear()  # before draining: what is offered from now on wakes the thread again
            self._drain()
            if last:
                return

    def _drain(self) -> None:
        waiting = self._waiting
        while waiting:
            batch: list[T] = []
            while waiting and len(batch) < _BATCH:
                batch.append(waiting.popleft())
            try:
                self._write(b"".join(self._render(item) for item in batch))
            except (OSError, ValueError):  # a closed pipe, a full disk, an item that cannot be rendered
                self.dropped += len(batch)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._descriptor, view) :]
            except BlockingIOError:  # somebody else made the descriptor non-blocking
                self._closing.wait(_RETRY_S)


class MessageHandler(logging.Handler):
    """Hands the proxy's own messages to a writer, so that a blocked terminal does not block the loop."""

    def __init__(self, writer: LineWriter[bytes], formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        """Format now, for arguments may change; write later."""
        try:
            self._writer.offer(self.format(record).encode("utf-8", "backslashreplace") + b"\n")
        except (TypeError, ValueError):
            self.handleError(record)
