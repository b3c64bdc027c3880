"""The client of a miss that the pipeline has taken over from the fast path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veneer.http1.framing import FramingFacts
from veneer.server.client import ClientTransport, PlainClient

if TYPE_CHECKING:
    from veneer.fastpath.miss import FastMiss


class MissClient(PlainClient):
    """As any client whose request came whole; it remembers with what the fast path began."""

    __slots__ = ("miss",)

    def __init__(self, miss: FastMiss, wire: ClientTransport) -> None:
        super().__init__(b"", wire, FramingFacts("GET", (1, 1), keep_alive=True))
        self.miss = miss
