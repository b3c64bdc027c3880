"""What has been committed and when, and what a read that begins now has to reach."""

from __future__ import annotations

import time
from collections import deque

from checks.coherence.ledger import Ledger


class CommitLedger(Ledger):
    """A Ledger in which a commit binds the reads that begin `bound_s` after it; what a node was told binds at once.

    Commits are recorded after PostgreSQL has said that they are done, so that none is taken for older than it is.
    """

    def __init__(self, registers: int, bound_s: float) -> None:
        self._bound_s = bound_s
        self._coming: deque[tuple[float, int, int]] = deque()
        self.hot_reads = self.hot_hits = 0
        self.commits = 0
        self.due = [0] * registers
        super().__init__(registers)

    def committed(self, register: int, version: int) -> None:
        """A version has just been committed."""
        self.commits += 1
        self.tally.operations += 1
        self._coming.append((time.perf_counter() + self._bound_s, register, version))

    def floor(self) -> tuple[int, ...]:
        """What a read that begins now has to reach, by the commits alone."""
        now_s = time.perf_counter()
        while self._coming and self._coming[0][0] <= now_s:
            _, register, version = self._coming.popleft()
            self.due[register] = max(self.due[register], version)
        return tuple(self.due)

    def floor_of_register(self, register: int) -> dict[int, int]:
        """The same of one register by its own URL, which a write through a node invalidates at once."""
        return {register: max(self.floor()[register], self.acknowledged[register])}
