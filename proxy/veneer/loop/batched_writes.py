"""Writes that wait for the end of the loop's iteration, so that many leave one after the other.

A process that sleeps is woken by the first bytes that come for it, which costs the sender more than to write them.
Whoever gets the bytes of a whole iteration at once is woken once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

MAX_WAITING: Final = 16
"""Connections whose bytes wait at most: the first to be answered waits for those behind it."""
MAX_BYTES: Final = 32 * 1024
"""So many bytes of one connection do not wait, nor are they copied."""


class Sink(Protocol):
    """Where bytes leave: a transport."""

    def write(self, data: bytes) -> None:
        """Queue bytes."""
        ...

    def writelines(self, pieces: list[bytes]) -> None:
        """Queue bytes in one go."""
        ...


class WriteBatch:
    """Ends by itself: `call_soon` is the loop's. Of one loop; not for several threads."""

    __slots__ = ("_awaited", "_call_soon", "_waiting")

    def __init__(self, call_soon: Callable[[Callable[[], None]], object]) -> None:
        self._call_soon = call_soon
        self._waiting: list[WriteBuffer] = []
        self._awaited = False

    def add(self, outgoing: WriteBuffer) -> None:
        """Have it sent at the end of the iteration, or before, when many wait."""
        waiting = self._waiting
        waiting.append(outgoing)
        if len(waiting) >= MAX_WAITING:
            self.end()
        elif not self._awaited:
            self._awaited = True
            self._call_soon(self.end)

    def end(self) -> None:
        """Send what waits: the iteration ends, many wait, or nothing will be added for a while."""
        self._awaited = False
        waiting, self._waiting = self._waiting, []
        for outgoing in waiting:
            outgoing.flush()


class WriteBuffer:
    """What is to leave on one connection. Whoever writes there in another way, or closes it, has to flush it first.

    What waits are the pieces as they came. They are put together when they leave: sixteen answers that wait in memory
    between bodies that stay would leave holes there.
    """

    __slots__ = ("_batch", "_raw", "_sink", "_unsent")

    def __init__(self, batch: WriteBatch) -> None:
        self._batch = batch
        self._sink: Sink | None = None
        self._unsent: list[bytes] = []
        self._raw = 0

    def open(self, sink: Sink) -> None:
        """The connection is made."""
        self._sink = sink

    def close(self) -> None:
        """The connection is lost: nothing leaves any more."""
        self._sink = None
        self._unsent = []
        self._raw = 0

    def send(self, pieces: list[bytes]) -> None:
        """Send at the end of the iteration, or at once where it is much. The list is no longer the caller's."""
        if self._unsent:
            self._unsent.extend(pieces)
        else:
            self._unsent = pieces
            self._batch.add(self)
        raw = self._raw
        for piece in pieces:
            raw += len(piece)
        self._raw = raw
        if raw >= MAX_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send at once what waits."""
        pieces = self._unsent
        if not pieces:
            return
        raw = self._raw
        self._unsent = []
        self._raw = 0
        sink = self._sink
        if sink is None:
            return
        if raw >= MAX_BYTES:
            sink.writelines(pieces)
        else:
            sink.write(b"".join(pieces))
