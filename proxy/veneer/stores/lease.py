"""The lease: how long this node may answer from its stores."""

from __future__ import annotations

from collections import deque


class NodeLease:
    """Granted by a renewal, in force once the node has applied all that the log held when it was granted.

    Times are monotonic seconds of this process. A grant counts from before the renewal was sent.
    """

    def __init__(self) -> None:
        self.until_s = float("-inf")
        self._granted: deque[tuple[int, float]] = deque(maxlen=8)

    def grant(self, up_to: int, until_s: float, applied: int) -> None:
        """A lease until `until_s` for a node that has applied `up_to`."""
        self._granted.append((up_to, until_s))
        self.applied(applied)

    def applied(self, seq: int) -> None:
        """The node has applied everything up to `seq`."""
        while self._granted and self._granted[0][0] <= seq:
            self.until_s = max(self.until_s, self._granted.popleft()[1])

    def drop(self) -> None:
        """No lease, and none on its way: what was granted was for another epoch, or is given back."""
        self._granted.clear()
        self.until_s = float("-inf")
