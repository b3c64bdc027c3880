"""Writes that wait for the end of the loop's turn, so that many leave one after the other.

A process that sleeps is woken by the first octets that come for it, which costs the sender more than to write them.
Whoever gets the octets of a whole turn at once is woken once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

MOST_WAITING: Final = 16
"""Connections whose octets wait at most: the first to be answered waits for those behind it."""
MOST_OCTETS: Final = 32 * 1024
"""So many octets of one connection do not wait, nor are they copied to what waits."""

Write = Callable[[bytes], None]


class Turn:
    """Ends by itself: `call_soon` is the loop's. Of one loop; not for several threads."""

    __slots__ = ("_awaited", "_call_soon", "_waiting")

    def __init__(self, call_soon: Callable[[Callable[[], None]], object]) -> None:
        self._call_soon = call_soon
        self._waiting: list[Outgoing] = []
        self._awaited = False

    def add(self, outgoing: Outgoing) -> None:
        """Have it sent at the end of the turn, or before, when many wait."""
        waiting = self._waiting
        waiting.append(outgoing)
        if len(waiting) >= MOST_WAITING:
            self._send()
        elif not self._awaited:
            self._awaited = True
            self._call_soon(self._end)

    def _end(self) -> None:
        self._awaited = False
        self._send()

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        for outgoing in waiting:
            outgoing.flush()


class Outgoing:
    """What is to leave on one connection. Whoever writes there in another way, or closes it, has to flush it first."""

    __slots__ = ("_turn", "_unsent", "_write")

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._write: Write | None = None
        self._unsent = b""

    def open(self, write: Write) -> None:
        """The connection is made; `write` is its transport's."""
        self._write = write

    def close(self) -> None:
        """The connection is lost: nothing leaves any more."""
        self._write = None
        self._unsent = b""

    def send(self, data: bytes) -> None:
        """Send at the end of the turn, or at once where it is much."""
        if len(data) >= MOST_OCTETS:
            self.flush()
            if self._write is not None:
                self._write(data)
        elif not self._unsent:
            self._unsent = data
            self._turn.add(self)
        else:
            self._unsent += data
            if len(self._unsent) >= MOST_OCTETS:
                self.flush()

    def flush(self) -> None:
        """Send at once what waits."""
        unsent = self._unsent
        if unsent:
            self._unsent = b""
            if self._write is not None:
                self._write(unsent)
