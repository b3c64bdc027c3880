"""Writes lines without ever holding up the event loop: a bounded buffer, and a thread that writes."""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")

_GATHER_S = 0.05
"""How long the thread lets lines gather once there is one."""
_BATCH = 64
"""Lines rendered and written at once."""
_RETRY_S = 0.01


class LineWriter(Generic[T]):
    """Renders what it is offered and writes it to a file descriptor, in order, from a thread of its own.

    Whole batches are rendered by whoever offers: a thread that renders all the time would compete with the event loop
    for the interpreter, and every change of hands costs more than the rendering. The thread renders only what is left
    over when little is offered. When `most` items wait, further ones are dropped and counted: a reader that is slow or
    gone costs lines, never time. `close` writes what waits, for at most `patience_s`; what is left then is dropped.
    """

    def __init__(self, descriptor: int, render: Callable[[T], bytes], *, most: int = 16_384, name: str = "log") -> None:
        self._descriptor = descriptor
        self._render = render
        self._most = most
        self._waiting: deque[T] = deque()
        self._batches: SimpleQueue[list[bytes] | None] = SimpleQueue()  # None wakes the thread
        self._order = threading.Lock()  # held while lines move from one to the other, so that they stay in order
        self._closing = threading.Event()
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def offer(self, item: T) -> None:
        """Have `item` written, or dropped when too many wait. Never blocks for the reader's sake."""
        waiting = self._waiting
        if len(waiting) + self._batches.qsize() * _BATCH >= self._most or self._closing.is_set():
            self.dropped += 1
            return
        waiting.append(item)
        count = len(waiting)  # looked at afterwards: the thread may have taken what was there before
        if count == 1:
            self._batches.put(None)
        elif count >= _BATCH:
            with self._order:
                self._batches.put(self._rendered(_BATCH))

    def close(self, patience_s: float = 2.0) -> None:
        """Write what waits, then end. Idempotent."""
        self._closing.set()
        self._batches.put(None)
        self._thread.join(patience_s)
        if self._thread.is_alive():
            self.dropped += len(self._waiting)

    def _rendered(self, most: int) -> list[bytes]:
        """The next lines, rendered; an item that cannot be rendered is dropped."""
        lines: list[bytes] = []
        while self._waiting and len(lines) < most:
            try:
                lines.append(self._render(self._waiting.popleft()))
            except ValueError:
                self.dropped += 1
        return lines

    def _run(self) -> None:
        while True:
            batch = self._batches.get()
            if batch is not None:
                self._write_batch(batch)
                continue
            self._closing.wait(_GATHER_S)
            last = self._closing.is_set()
            for left in self._left_over():
                self._write_batch(left)
            if last:
                return

    def _left_over(self) -> list[list[bytes]]:
        """Everything there is, in order."""
        batches: list[list[bytes]] = []
        with self._order:
            try:
                while True:
                    batches.append(self._batches.get_nowait() or [])
            except Empty:
                pass
            batches.append(self._rendered(self._most))
        return batches

    def _write_batch(self, lines: list[bytes]) -> None:
        try:
            self._write(b"".join(lines))
        except OSError:  # a closed pipe, a full disk
            self.dropped += len(lines)

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
