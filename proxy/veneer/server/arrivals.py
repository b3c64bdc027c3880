"""Requests that come in one turn of the loop: foreseen together, answered one by one, their answers sent together."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Final

from veneer.loop.turn import WriteBatch
from veneer.server.quick import FastPath, FastPathHandler

MAX_BATCH: Final = 32
"""Connections whose requests wait at most: the first of them waits until all are foreseen."""


class BatchedConnection:
    """A connection as `TickBatcher` sees it: bytes that begin a request have `arrived`, or none."""

    def __init__(self) -> None:
        self.talk: FastPathHandler | None = None
        self.arrived = b""

    def process_safely(self) -> None:
        """Take up what has arrived. Whatever goes wrong there ends this connection, and no other."""
        try:
            self.receive()
        except Exception as error:  # noqa: BLE001 - as the loop does with what `data_received` raises
            self.fail(error)

    @abstractmethod
    def receive(self) -> None:
        """Answer what has arrived, or hand it on."""

    @abstractmethod
    def fail(self, error: Exception) -> None:
        """End the connection and report this, which `receive` has raised."""


class TickBatcher:
    """Ends each turn by itself: `call_soon` is the loop's. Of one loop; not for several threads.

    Where what is stored is much, a hit waits for memory far away, step by step. For several hits these can be one wait:
    whoever answers is shown what is asked before it has to answer.
    """

    __slots__ = ("_awaited", "_call_soon", "_quick", "_turn", "_waiting")

    def __init__(
        self, call_soon: Callable[[Callable[[], None]], object], turn: WriteBatch, quick: FastPath | None
    ) -> None:
        self._call_soon = call_soon
        self._turn = turn
        self._quick = quick
        self._waiting: list[BatchedConnection] = []
        self._awaited = False

    def add(self, arrival: BatchedConnection) -> None:
        """Have it take up what has arrived at the end of the turn, or before, when many wait."""
        waiting = self._waiting
        waiting.append(arrival)
        if len(waiting) >= MAX_BATCH:
            self._take_up()
        elif not self._awaited:
            self._awaited = True
            self._call_soon(self._end)

    def _end(self) -> None:
        self._awaited = False
        self._take_up()

    def _take_up(self) -> None:
        waiting, self._waiting = self._waiting, []
        try:
            self._prefetch(waiting)
        finally:
            for arrival in waiting:
                arrival.process_safely()
            self._turn.end()

    def _prefetch(self, waiting: list[BatchedConnection]) -> None:
        quick = self._quick
        if quick is None or len(waiting) == 1:
            return
        talks: list[FastPathHandler] = []
        data: list[bytes] = []
        for arrival in waiting:
            talk = arrival.talk
            if talk is not None and arrival.arrived:
                talks.append(talk)
                data.append(arrival.arrived)
        quick.prefetch(talks, data)
