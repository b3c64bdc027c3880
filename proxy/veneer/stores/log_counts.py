"""What a node's part of the shared log has done since the start."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from veneer.core.durations import DurationCounts
from veneer.stores.events import LostNode

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class LogCounts:
    """Counts of one node. `nodes_lost` are those that this node was the first to miss: over all nodes, each is one.

    `waits` is how long writers have waited until every live node had applied their event, or nobody could be told.
    """

    appended: int = 0
    applied: int = 0
    renewals: int = 0
    failures: int = 0
    not_shared: int = 0
    gaps: int = 0
    epochs: int = 0
    leases_waited_out: int = 0
    nodes_lost: int = 0
    waits: DurationCounts = field(default_factory=DurationCounts)

    def lost(self, nodes: Sequence[LostNode]) -> None:
        """This node was the first to notice that others are gone."""
        for node in nodes:
            self.nodes_lost += 1
            if node.writing:
                logger.warning("node %s is gone without a good-bye, perhaps with a write under way", node.name)
            else:
                logger.warning("node %s is gone without a good-bye; it had no write under way", node.name)
