"""Waiting until every node has applied what was committed at a source."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from veneer.core.invalidation import Invalidation
from veneer.core.sources import has_reached
from veneer.ports import Clock, InvalidationLog, Receipt, SourceLog, SourceTold

LOOK_EVERY_S: Final = 0.02
"""Nodes hear of a source with each renewal of their lease."""

NOTHING: Final = Invalidation()
"""An event that names nothing: who has applied it has applied all before it."""


class StillWaitingError(TimeoutError):
    """The source has not come so far in time; `told` is how far it has."""

    def __init__(self, told: SourceTold | None) -> None:
        super().__init__("the source has not come so far in time")
        self.told = told


@dataclass(frozen=True, slots=True)
class Waited:
    """All nodes have applied it; `position` is where the source was by then."""

    position: str
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class SourceWaiter:
    """Waits for sources, at any node."""

    sources: SourceLog
    log: InvalidationLog
    clock: Clock

    async def wait(self, source: str, position: str, within_s: float) -> Waited:
        """Until every live node has applied what was committed up to `position`, or without one before this call.

        Raises StillWaitingError, and ValueError for what is no position.
        """
        asked_s = self.clock.monotonic()
        if position:
            has_reached(position, position)  # what is no position is refused before anything is waited for
        while not self._has_come(source, position, asked_s):
            if self.clock.monotonic() - asked_s > within_s:
                raise StillWaitingError(self.sources.told(source))
            await asyncio.sleep(LOOK_EVERY_S)
        told = self.sources.told(source)
        receipt = await self.log.append(NOTHING, strict=True)
        if not receipt.shared:
            raise StillWaitingError(told)
        return Waited(told.position if told is not None else "", receipt)

    def _has_come(self, source: str, position: str, asked_s: float) -> bool:
        """Whether this node has applied it."""
        told = self.sources.told(source)
        if position:
            return has_reached(told.position if told is not None else "", position)
        return told is not None and told.as_of_s >= asked_s
