"""Sources of changes as the log knows them: who may read one, and how far each has come."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Protocol

from veneer.core.invalidation import Invalidation
from veneer.ports import Clock, SourceClaim, SourceMoment, SourceTold
from veneer.redis.script import FAILURES
from veneer.stores.append import Append, AppendingLog
from veneer.stores.events import Renewal
from veneer.stores.lease import NEVER_S, NodeLease
from veneer.stores.log_link import LogLink
from veneer.stores.outbox import Outbox

logger = logging.getLogger(__name__)


def told_sources(renewal: Renewal, began_s: float) -> Mapping[str, SourceTold]:
    """What a renewal tells of sources, by this process' clock.

    `began_s` is the moment before it was sent. Redis took its time later, so that what is said here is never too young.
    """
    return {state.key: SourceTold(began_s - state.age_s, state.position, state.reader) for state in renewal.sources}


class PlacingLog(AppendingLog, Protocol):
    """The log, as far as it places what others may hear of later."""

    def apply_early(self, event: Invalidation) -> None:
        """Kill here what the event names, before its position is known."""
        ...


class RedisSources:
    """A SourceLog of nodes that share a log through Redis. The parts are the log's."""

    def __init__(self, link: LogLink, log: PlacingLog, outbox: Outbox, lease: NodeLease, clock: Clock) -> None:
        self._link, self._log, self._outbox, self._lease, self._clock = link, log, outbox, lease, clock

    async def claim(self, source: str, as_of: SourceMoment | None = None) -> SourceClaim:
        """Ask Redis."""
        try:
            answer = await self._link.claim(source, self._link.lease_s, as_of)
        except FAILURES as error:
            msg = f"Redis does not say who reads the source: {error}"
            raise ConnectionError(msg) from error
        known: SourceMoment | None = None
        if answer.told:
            ms, origin, position = answer.told.split(" ", 2)
            known = SourceMoment(answer.epoch, int(ms), position, origin)
        return SourceClaim(answer.reader == self._link.node, answer.reader, answer.epoch, answer.redis_ms, known)

    async def release(self, source: str) -> None:
        """Give it back; where Redis is away it ends by itself."""
        try:
            await self._link.claim(source, 0.0)
        except FAILURES as error:
            logger.debug("the right to read %s was not given back: %r", source, error)

    def place_soon(self, invalidation: Invalidation, on_placed: Callable[[], None]) -> None:
        """Put it into the outbox, where it stays until Redis has it."""
        self._log.apply_early(invalidation)
        append = Append(
            self._log, invalidation, lambda _: on_placed(), self._clock.monotonic, strict=False, settles_s=0.0
        )
        self._outbox.add(invalidation, append.shared, strict=False)

    def told(self, source: str) -> SourceTold | None:
        """What the last renewal has told."""
        return self._lease.told(source)


class MemorySources:
    """A SourceLog of a process that is alone: its own clock is the one that all share."""

    def __init__(self, append_now: Callable[[Invalidation], None], clock: Clock, name: str) -> None:
        self._append_now, self._clock, self._name = append_now, clock, name
        self._known: dict[str, SourceMoment] = {}

    async def claim(self, source: str, as_of: SourceMoment | None = None) -> SourceClaim:
        """Nobody else reads it."""
        known = self._known.get(source)
        if as_of is not None and as_of.clock == self._name:
            before = -1 if known is None or known.ms is None else known.ms
            ms = max(before, -1 if as_of.ms is None else as_of.ms)
            name = source.partition("@")[0] + "@"
            self._known = {key: one for key, one in self._known.items() if not key.startswith(name)}
            self._known[source] = SourceMoment(self._name, ms, as_of.position, as_of.origin)
        return SourceClaim(True, self._name, self._name, int(self._clock.monotonic() * 1000), known)

    async def release(self, source: str) -> None:
        """Nobody waits for it."""

    def place_soon(self, invalidation: Invalidation, on_placed: Callable[[], None]) -> None:
        """It holds at once."""
        self._append_now(invalidation)
        on_placed()

    def as_of(self, source: str) -> float:
        """What was committed at the source before this moment is applied here."""
        known = self._known.get(source)
        return NEVER_S if known is None or known.ms is None or known.ms < 0 else known.ms / 1000

    def told(self, source: str) -> SourceTold | None:
        """What was claimed last."""
        known = self._known.get(source)
        return None if known is None else SourceTold(self.as_of(source), known.position, self._name)
