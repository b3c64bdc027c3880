"""What a proxy holds of the machine, before a case and after it."""

from __future__ import annotations

import asyncio

import psutil

from checks.storm.figures import at_most
from checks.storm.servers import Veneer
from checks.storm.stage import Stage

IDLE_S = 10.0
"""Idle connections to the backend are kept for 4.5 s, and looked at as often: the last is closed after twice that."""


class Footprint:
    """Descriptors and memory of one node, as they are when this is made."""

    def __init__(self, veneer: Veneer) -> None:
        self._veneer = veneer
        self._process = psutil.Process(veneer.nodes[0].process.pid)
        self._descriptors = self._process.num_fds()
        self._bytes = self._process.memory_info().rss

    async def note_after(self, stage: Stage) -> None:
        """Wait until nothing is kept open for the next one, and note what is held more than before."""
        await asyncio.sleep(IDLE_S)
        grown = self._process.memory_info().rss / self._bytes
        more = self._process.num_fds() - self._descriptors
        stage.note(self._veneer, "memory after : before", grown, at_most(1.1))
        stage.note(self._veneer, "descriptors more than before", more, at_most(0))
