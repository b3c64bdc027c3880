"""Writes lines without ever holding up the event loop: a bounded buffer, and a thread that writes."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final

from veneer.loop.clock import SystemClock
from veneer.ports import Clock

logger = logging.getLogger(__name__)

_CLOCK: Final = SystemClock()

_GATHER_S = 0.02
"""How long the thread lets lines gather once there is one. On a shared core requests wait while it writes them."""
_BATCH = 64
"""Lines handed over at once."""
_RETRY_S = 0.01
_TELL_EVERY_S = 10.0
"""Losses are told at most this often: a reader that is always slow is one message, not thousands."""
_NICE = 10
"""How much the thread gives way: on a core of its own it does not matter, on a shared one lines have time."""


class LineWriter:
    """Writes the lines that it is offered to a file descriptor, in order, from a thread of its own.

    The thread is handed whole batches, and fetches only what is left over when little is offered: it would compete
    with the event loop for the interpreter, and every change of hands costs. When `most` lines wait, further ones are
    dropped and counted: a reader that is slow or gone costs lines, never time. `close` writes what waits, for at most
    `patience_s`; what is left then is dropped.
    """

    def __init__(self, descriptor: int, *, most: int = 16_384, name: str = "log", clock: Clock = _CLOCK) -> None:
        self._descriptor = descriptor
        self._most = most
        self._waiting: list[bytes] = []
        self._batches: SimpleQueue[list[bytes] | None] = SimpleQueue()  # None wakes the thread
        self._order = threading.Lock()  # held while lines come, and move from one to the other: they stay in order
        self._closing = threading.Event()
        self._torn = False  # the last line written has no end
        self._told = 0
        self._quiet_until_s = 0.0
        self._clock = clock
        self.name = name
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def offer(self, *lines: bytes) -> None:
        """Have lines written, or dropped when too many wait. Never blocks for the reader's sake."""
        self.offer_all(lines)

    def offer_all(self, lines: Sequence[bytes]) -> None:
        """The same with a sequence of lines."""
        if len(self._waiting) + self._batches.qsize() * _BATCH >= self._most or self._closing.is_set():
            self.dropped += len(lines)
            return
        with self._order:
            self._waiting.extend(lines)
            count = len(self._waiting)
            if count >= _BATCH:
                self._batches.put(self._taken())
            elif count == len(lines):
                self._batches.put(None)

    def close(self, patience_s: float = 2.0) -> None:
        """Write what waits, then end. Idempotent."""
        self._closing.set()
        self._batches.put(None)
        self._thread.join(patience_s)
        if self._thread.is_alive():
            self.dropped += sum(len(batch) for batch in self._left_over())
            self._batches.put(None)  # the one before may have been among them

    def _taken(self) -> list[bytes]:
        """The lines that wait; nothing may come meanwhile."""
        taken, self._waiting = self._waiting, []
        return taken

    def _run(self) -> None:
        _give_way()
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
            batches.append(self._taken())
        return batches

    def _write_batch(self, lines: list[bytes]) -> None:
        # A line that broke off must not run into the next one: readers would lose both.
        data = b"".join([b"\n", *lines]) if self._torn else b"".join(lines)
        written = 0
        try:
            while written < len(data):
                try:
                    written += os.write(self._descriptor, memoryview(data)[written:])
                except BlockingIOError:  # somebody else made the descriptor non-blocking
                    self._closing.wait(_RETRY_S)
        except OSError:  # a closed pipe, a full disk
            # what is missing of a line that had begun counts: its end is among what was not written
            self.dropped += data.count(b"\n", max(written, 1 if self._torn else 0))
            if written:
                self._torn = data[written - 1 : written] != b"\n"
            return
        if written:
            self._torn = False
            self._tell_losses()

    def _tell_losses(self) -> None:
        """Say how many lines were lost since it was last said, now that lines are written again."""
        now, lost = self._clock.monotonic(), self.dropped - self._told
        if lost and now >= self._quiet_until_s:
            self._told, self._quiet_until_s = self.dropped, now + _TELL_EVERY_S
            logger.warning(
                "%d lines of the %s were lost: its reader was slow or gone, or its disk full", lost, self.name
            )


def _give_way() -> None:
    """Have the calling thread run after others, where a thread has a priority of its own (setpriority(2), Linux)."""
    if sys.platform == "linux":
        with suppress(OSError):
            here = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, here, os.getpriority(os.PRIO_PROCESS, here) + _NICE)


class MessageHandler(logging.Handler):
    """Hands the proxy's own messages to a writer, so that a blocked terminal does not block the loop."""

    def __init__(self, writer: LineWriter, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        """Format now, for arguments may change; write later."""
        try:
            self._writer.offer(self.format(record).encode("utf-8", "backslashreplace") + b"\n")
        except (TypeError, ValueError):
            self.handleError(record)
