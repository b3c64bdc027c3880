"""Who has applied what: the writer's side of strictness."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

from veneer.ports import Clock

MAX_NODES_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class AckOutcome:
    """Who acknowledged, and whose lease had to run out."""

    acknowledged: tuple[str, ...]
    expired: tuple[str, ...]


@dataclass(eq=False, slots=True)
class _Waiting:
    epoch_ms: int
    seq: int
    nodes: set[str]
    done: asyncio.Event


class Acknowledgements:
    """Remembers how far each other node has come, and wakes the writers who wait for it.

    An acknowledgement may come before the answer to the append, so the last one of each node is kept.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._waiting: set[_Waiting] = set()

    def heard(self, node: str, epoch_ms: int, seq: int) -> None:
        """`node` has applied every event up to `seq`."""
        self._last[node] = max(self._last.get(node, (0, 0)), (epoch_ms, seq))
        self._last.move_to_end(node)
        if len(self._last) > MAX_NODES_REMEMBERED:
            self._last.popitem(last=False)
        for waiting in self._waiting:
            if node in waiting.nodes and (epoch_ms, seq) >= (waiting.epoch_ms, waiting.seq):
                waiting.nodes.discard(node)
                if not waiting.nodes:
                    waiting.done.set()

    async def wait(self, epoch_ms: int, seq: int, live: tuple[tuple[str, float], ...]) -> AckOutcome:
        """Wait until each node of `live` has applied `seq` or its seconds, which run from now, are over."""
        began = self._clock.monotonic()
        deadlines = {node: began + left_s for node, left_s in live}
        missing = {node for node in deadlines if self._last.get(node, (0, 0)) < (epoch_ms, seq)}
        waiting = _Waiting(epoch_ms, seq, missing, asyncio.Event())
        self._waiting.add(waiting)
        expired: set[str] = set()
        try:
            while waiting.nodes:
                now = self._clock.monotonic()
                over = {node for node in waiting.nodes if deadlines[node] <= now}
                expired |= over
                waiting.nodes -= over
                if waiting.nodes:
                    await _set_within(waiting.done, min(deadlines[node] for node in waiting.nodes) - now)
        finally:
            self._waiting.discard(waiting)
        return AckOutcome(tuple(sorted(deadlines.keys() - expired)), tuple(sorted(expired)))


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
