"""What this node's record in Redis says of its writes: whether one may be under way, should the node vanish.

Telling Redis of each write would cost a round trip for each. So the record says "maybe" from the first write on until
none has been under way for a while, and only a write that finds it saying "none" waits for it to change.
"""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

from veneer.ports import Clock

_LINGER_S: Final = 5.0
"""How long after the last write the record still says "maybe", so that regular writers pay once."""

_LEAST_SETTLES_S: Final = 0.001


class WriteReport(NamedTuple):
    """What a renewal tells: for how long after the node's end a write of it may still be carried out; 0 for none.

    `telling` grows with each renewal that tells of writes: one that comes late changes nothing.
    """

    telling: int
    settles_s: float


NO_WRITE: Final = WriteReport(0, 0.0)


class OpenWrites:
    """Counts the writes under way at this node, and knows what Redis knows of them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._telling = 0
        self._open = 0
        self._settles_s = 0.0
        self._ended_s = float("-inf")
        self._known_s = -1.0
        self._changed = asyncio.Event()

    def begin(self, settles_s: float) -> float:
        """A write is about to be sent; the seconds that the record has to say at least, which are never none."""
        self._open += 1
        settles_s = max(settles_s, _LEAST_SETTLES_S)
        self._settles_s = max(self._settles_s, settles_s)
        return settles_s

    def end(self) -> None:
        """It is over, or what it may have changed has been handed to the log."""
        self._open -= 1
        self._ended_s = self._clock.monotonic()

    def report(self, *, queued: bool) -> WriteReport:
        """What the next renewal is to tell. `queued` says that events of writes wait to be shared."""
        if not self._open and not queued and self._clock.monotonic() - self._ended_s >= _LINGER_S:
            self._settles_s = 0.0
            self._known_s = -1.0  # from now on it may say so
        self._telling += 1
        return WriteReport(self._telling, self._settles_s)

    def told(self, report: WriteReport) -> None:
        """A renewal has told it."""
        self._known_s = report.settles_s or -1.0
        self._changed.set()
        self._changed = asyncio.Event()

    def is_known(self, settles_s: float) -> bool:
        """Whether the record already says that a write which takes so long to settle may be under way."""
        return self._known_s >= settles_s

    async def known(self, settles_s: float) -> None:
        """Wait until it says so."""
        while not self.is_known(settles_s):
            await self._changed.wait()
