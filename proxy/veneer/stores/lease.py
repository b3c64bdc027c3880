"""The lease: how long this node may answer from its stores."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from veneer.ports import SourceTold

NEVER_S: Final = float("-inf")
NO_SOURCES: Mapping[str, SourceTold] = MappingProxyType({})


class NodeLease:
    """Granted by a renewal, in force once the node has applied all that the log held when it was granted.

    Times are monotonic seconds of this process. A grant counts from before the renewal was sent.
    """

    def __init__(self) -> None:
        self.until_s = NEVER_S
        self._sources = NO_SOURCES
        self._granted: deque[tuple[int, float, Mapping[str, SourceTold]]] = deque(maxlen=8)

    def grant(self, up_to: int, until_s: float, applied: int, sources: Mapping[str, SourceTold] = NO_SOURCES) -> None:
        """A lease until `until_s`, and word of sources, for a node that has applied `up_to`."""
        self._granted.append((up_to, until_s, sources))
        self.applied(applied)

    def applied(self, seq: int) -> None:
        """The node has applied everything up to `seq`."""
        while self._granted and self._granted[0][0] <= seq:
            _, until_s, self._sources = self._granted.popleft()
            self.until_s = max(self.until_s, until_s)

    def told(self, source: str) -> SourceTold | None:
        """How far a source of changes has come, as far as this node has applied what it brought."""
        return self._sources.get(source)

    def as_of(self, source: str) -> float:
        """What was committed at the source before this moment is applied here."""
        told = self._sources.get(source)
        return NEVER_S if told is None else told.as_of_s

    def drop(self) -> None:
        """No lease, and none on its way: what was granted was for another epoch, or is given back."""
        self._granted.clear()
        self._sources = NO_SOURCES
        self.until_s = NEVER_S
