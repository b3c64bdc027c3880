"""Exchanges whose clients have all left: they go on while no request needs their connection."""

from __future__ import annotations

from veneer.ports import UpstreamFailure
from veneer.ports.demand import Demand
from veneer.upstream.connection import Connection

GAVE_WAY = "nobody waited for the response any more, and another request needed the connection"


class Unwanted:
    """Those of one pool, the one left first at the front.

    What they bring is stored for whoever asks next; but a client that is there goes before clients that were.
    """

    def __init__(self) -> None:
        self._found: dict[Connection, Demand] = {}
        self._dropped: set[Connection] = set()
        self.any = False
        """Whether `exchange_done` has to be told of one that ends."""

    def add(self, connection: Connection, demand: Demand) -> None:
        """Nobody waits for what this connection carries."""
        self._found[connection] = demand
        self.any = True

    def exchange_done(self, connection: Connection) -> None:
        """The exchange has ended, however it did."""
        self._found.pop(connection, None)
        self._dropped.discard(connection)
        self.any = bool(self._found or self._dropped)

    def make_room(self, waiting: int) -> None:
        """Drop exchanges until as many connections become free as requests wait for one."""
        while self._found and len(self._dropped) < waiting:
            connection = next(iter(self._found))
            demand = self._found.pop(connection)
            if not demand.wanted:  # else somebody has joined since
                demand.dropped = True
                self._dropped.add(connection)
                connection.fail(UpstreamFailure.ABANDONED, GAVE_WAY)
