"""Which transactions everybody sees.

A commit is written to the log, and told by it, before other sessions see it: the committing process does that
afterwards, and with synchronous standbys once these have answered. Whoever reads in between gets the old row, so what
the log tells counts only when the transaction is visible: when it is in no snapshot taken now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SNAPSHOT: Final = "SELECT pg_current_snapshot()::text"
_EPOCH: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class TransactionSnapshot:
    """What a session sees: transactions below `xmax` that are not `running`. The ids have 64 bits."""

    xmax: int
    running: frozenset[int]

    def sees(self, xid: int) -> bool:
        """Whether a transaction that was committed is visible; its id has 32 bits, and is of this or the last epoch."""
        whole = self.xmax - self.xmax % _EPOCH + xid
        if whole - self.xmax >= _EPOCH // 2:
            whole -= _EPOCH
        elif self.xmax - whole > _EPOCH // 2:
            whole += _EPOCH
        return whole < self.xmax and whole not in self.running


def parse_snapshot(text: str) -> TransactionSnapshot:
    """A snapshot ("xmin:xmax:running,running"). Raises ValueError."""
    _, xmax, running = text.split(":")
    return TransactionSnapshot(int(xmax), frozenset(int(xid) for xid in running.split(",") if xid))
