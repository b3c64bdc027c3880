"""Why all that a node holds was taken for dead at once, counted and told."""

from __future__ import annotations

import logging
from enum import Enum

from veneer.stores.events import LogEvent

logger = logging.getLogger(__name__)


class FlushReason(Enum):
    """Why nothing that is stored may be used any more. The value is the label in metrics and the word in the log.

    A lease that ran out is none: what is stored is used again once the node has heard what it missed.
    """

    EPOCH = "epoch"  # Redis began anew, so that events may be lost
    GAP = "gap"  # events were trimmed before this node has read them
    LOST_NODE = "lost-node"  # a node is gone that may have had a write under way, or that write must be over now
    OVERDUE = "overdue-hold"  # the log has not closed the hold of a write in doubt in time
    EVENT = "everything"  # somebody purged everything, or an event named too much to say what


class Flushes:
    """The flushes of this node since the start."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(FlushReason, 0)

    def note(self, reason: FlushReason, why: str) -> None:
        """All that was stored is dead."""
        self.counts[reason] += 1
        logger.warning("flush (%s): %s; all that was stored is dead", reason.value, why)

    def overdue(self, holds: int) -> int:
        """So many holds were closed here; the same number."""
        if holds:
            self.note(FlushReason.OVERDUE, f"{holds} holds of writes in doubt were not closed in time")
        return holds

    def heard(self, event: LogEvent) -> None:
        """An event was applied."""
        if event.lost:
            self.note(FlushReason.LOST_NODE, f"a write of node {event.lost} may have been carried out")
        elif event.event.everything and not event.closes:
            whose = f"an event of node {event.writer} names everything" if event.writer else "an event names everything"
            self.note(FlushReason.EVENT, whose)
