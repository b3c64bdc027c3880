"""Who has applied what: the writer's side of strictness."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from veneer.ports import Clock

logger = logging.getLogger(__name__)
MAX_NODES_REMEMBERED: Final = 4096

Live = tuple[tuple[str, float], ...]
"""The nodes that may answer from a store, each with the seconds left of its lease."""


class AckOutcome:
    """Who acknowledged, and whose lease had to run out."""

    __slots__ = ("acknowledged", "expired")

    def __init__(self, acknowledged: tuple[str, ...], expired: tuple[str, ...]) -> None:
        self.acknowledged: Final = acknowledged
        self.expired: Final = expired


NOBODY: Final = AckOutcome((), ())

OnAcknowledged = Callable[[AckOutcome], None]


class _Waiting:
    """A writer, and until when it waits for each node that has not acknowledged."""

    __slots__ = ("epoch_ms", "expired", "missing", "nodes", "on_outcome", "seq", "timer")

    def __init__(self, epoch_ms: int, seq: int, missing: dict[str, float], on_outcome: OnAcknowledged) -> None:
        self.epoch_ms = epoch_ms
        self.seq = seq
        self.nodes = set(missing)
        self.missing = missing
        self.expired: set[str] = set()
        self.on_outcome = on_outcome
        self.timer: asyncio.TimerHandle | None = None


class Acknowledgements:
    """Remembers how far each other node has come, and tells the writers who wait for it.

    An acknowledgement may come before the answer to the append, so the last one of each node is kept.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._waiting: dict[_Waiting, None] = {}

    def heard(self, node: str, epoch_ms: int, seq: int) -> None:
        """`node` has applied every event up to `seq`."""
        self._last[node] = max(self._last.get(node, (0, 0)), (epoch_ms, seq))
        self._last.move_to_end(node)
        if len(self._last) > MAX_NODES_REMEMBERED:
            self._last.popitem(last=False)
        for waiting in list(self._waiting):
            if node in waiting.missing and (epoch_ms, seq) >= (waiting.epoch_ms, waiting.seq):
                del waiting.missing[node]
                if not waiting.missing:
                    self._end(waiting)

    def when(self, epoch_ms: int, seq: int, live: Live, on_outcome: OnAcknowledged) -> None:
        """Tell `on_outcome` once each node of `live` has applied `seq` or its seconds, from now on, are over.

        That may be at once.
        """
        if not live:
            on_outcome(NOBODY)
            return
        began = self._clock.monotonic()
        waiting = _Waiting(epoch_ms, seq, {node: began + left_s for node, left_s in live}, on_outcome)
        for node, _ in live:
            if self._last.get(node, (0, 0)) >= (epoch_ms, seq):
                del waiting.missing[node]
        self._waiting[waiting] = None
        self._look(waiting)

    def close(self) -> None:
        """Nobody is waited for any more, and nobody told."""
        for waiting in self._waiting:
            if waiting.timer is not None:
                waiting.timer.cancel()
        self._waiting.clear()

    def _look(self, waiting: _Waiting) -> None:
        """See whose lease is over, and look again when the next one is."""
        now = self._clock.monotonic()
        for node, until_s in list(waiting.missing.items()):
            if until_s <= now:
                waiting.expired.add(node)
                del waiting.missing[node]
        if waiting.missing:
            left_s = min(waiting.missing.values()) - now
            waiting.timer = asyncio.get_running_loop().call_later(left_s, self._look, waiting)
        else:
            self._end(waiting)

    def _end(self, waiting: _Waiting) -> None:
        if waiting.timer is not None:
            waiting.timer.cancel()
        del self._waiting[waiting]
        expired = waiting.expired
        acknowledged = tuple(sorted(waiting.nodes - expired))
        try:
            waiting.on_outcome(AckOutcome(acknowledged, tuple(sorted(expired))))
        except Exception:
            logger.exception("a writer could not take who has acknowledged its event")
