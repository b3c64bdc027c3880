"""Requests that come in one iteration of the loop: shown together, answered one by one, their answers sent together."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Final

from veneer.loop.batched_writes import WriteBatch
from veneer.server.ports import FastPath, FastPathHandler, G, H

MAX_BATCH: Final = 32
"""Connections whose requests wait at most: the first of them waits until all were shown."""


class BatchedConnection:
    """A connection as `TickBatcher` sees it: bytes that begin a request have `arrived`, or none."""

    def __init__(self) -> None:
        self.handler: FastPathHandler | None = None
        self.arrived = b""

    @abstractmethod
    def process(self) -> None:
        """Answer what has arrived, or hand it on."""

    @abstractmethod
    def fail(self, error: Exception) -> None:
        """End the connection and report this, which `process` has raised."""


class TickBatcher:
    """Ends each iteration by itself: `call_soon` is the loop's. Of one loop; not for several threads.

    Where what is stored is much, a hit waits for memory far away, step by step. For several hits these can be one wait:
    the fast path is shown what is asked before it has to answer.
    """

    __slots__ = ("_awaited", "_call_soon", "_fastpath", "_waiting", "_writes")

    def __init__(
        self, call_soon: Callable[[Callable[[], None]], object], writes: WriteBatch, fastpath: FastPath | None
    ) -> None:
        self._call_soon = call_soon
        self._writes = writes
        self._fastpath = fastpath
        self._waiting: list[BatchedConnection] = []
        self._awaited = False

    def add(self, connection: BatchedConnection) -> None:
        """Have it process what has arrived at the end of the iteration, or before, when many wait."""
        waiting = self._waiting
        waiting.append(connection)
        if len(waiting) >= MAX_BATCH:
            self._process()
        elif not self._awaited:
            self._awaited = True
            self._call_soon(self._process)

    def _process(self) -> None:
        self._awaited = False
        waiting, self._waiting = self._waiting, []
        try:
            if len(waiting) > 1 and self._fastpath is not None:
                self._prefetch(waiting, self._fastpath)
        finally:
            for connection in waiting:
                try:
                    connection.process()
                except Exception as error:  # noqa: BLE001 - it ends this connection, and no other
                    connection.fail(error)
            self._writes.end()

    def _prefetch(self, waiting: list[BatchedConnection], fastpath: FastPath) -> None:
        handlers: list[FastPathHandler] = []
        data: list[bytes] = []
        for connection in waiting:
            handler, arrived = connection.handler, connection.arrived
            if handler is not None and arrived and arrived[0] in (G, H):
                handlers.append(handler)
                data.append(arrived)
        fastpath.prefetch(handlers, data)
