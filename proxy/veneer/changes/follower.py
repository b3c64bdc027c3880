"""Who follows one source of changes: one node at a time reads it, and what it brings becomes events of the log."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from veneer.core.invalidation import Invalidation
from veneer.core.sources import beat_every_s, has_reached
from veneer.ports import (
    AsOf,
    Beat,
    ChangeItem,
    ChangeSource,
    ChangeStream,
    Clock,
    Committed,
    SourceClaim,
    SourceError,
    SourceLog,
    SourceMoment,
)

logger = logging.getLogger(__name__)

MOST_TAGS: Final = 1_000
"""Tags of one event; commits that come together become one event, as far as that holds them."""
MOST_PENDING: Final = 64
"""Events that are on their way to the log; until there are fewer, nothing more is read."""


class FollowerState(Enum):
    """What this node does about a source."""

    READING = "reading"
    STANDING_BY = "standing-by"  # another node reads it
    LOST = "lost"  # nobody can read it from here now


@dataclass(slots=True)
class FollowerCounts:
    """What one node has read since its start; `gaps` by their reasons."""

    commits: int = 0
    tags: int = 0
    beats: int = 0
    gaps: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class FollowerSettings:
    """Bounds of a follower. `claim_s` is how long a claim lasts; a source that is lost is tried again after `retry_s`.

    That doubles up to `longest_retry_s`. Who does not read looks every `stand_by_s` whether nobody does.
    """

    max_lag_s: float
    claim_s: float = 2.0
    stand_by_s: float = 0.5
    retry_s: float = 0.25
    longest_retry_s: float = 10.0


class ClaimLostError(Exception):
    """Another node reads the source now, or the log can no longer be asked."""


class _Pending:
    """An event on its way to the log, and what may be told once it is there."""

    __slots__ = ("placed", "then")

    def __init__(self, then: SourceMoment) -> None:
        self.placed = False
        self.then = [then]


class Follower:
    """Follows one source for as long as `run` runs.

    How far it has come is told to the other nodes once all up to there is in the log, and then to the source, which may
    forget it (docs/guarantees.md). `key` is how the log knows the source with these settings.
    """

    def __init__(
        self, source: ChangeSource, key: str, log: SourceLog, clock: Clock, settings: FollowerSettings
    ) -> None:
        self.name: Final = source.name
        self.key: Final = key
        self.state, self.why, self.reader = FollowerState.LOST, "", ""
        self.counts = FollowerCounts()
        self._source, self._log, self._clock, self._settings = source, log, clock, settings
        self._beat_every_s = beat_every_s(settings.max_lag_s)
        self._stream: ChangeStream | None = None
        self._pending: deque[_Pending] = deque()
        self._room, self._wake = asyncio.Event(), asyncio.Event()
        self._claim: SourceClaim | None = None
        self._origin = ""
        self._untold: SourceMoment | None = None

    @property
    def kept_bytes(self) -> int | None:
        """What the source keeps for this reader; None where it does not read, or is not told."""
        return None if self._stream is None else self._stream.kept_bytes

    async def run(self) -> None:
        """Read the source whenever nobody else does, until this is cancelled."""
        pause_s = self._settings.retry_s
        try:
            while True:
                began_s = self._clock.monotonic()
                try:
                    await self._round()
                except (ClaimLostError, ConnectionError) as error:
                    self._become(FollowerState.LOST, str(error))
                except SourceError as error:
                    self._lost(error)
                except Exception as error:
                    logger.exception("changes %s: following it failed", self.name)
                    self._become(FollowerState.LOST, repr(error))
                if self.state is FollowerState.STANDING_BY:
                    pause_s = self._settings.retry_s
                    await asyncio.sleep(self._settings.stand_by_s)
                    continue
                if self._clock.monotonic() - began_s > self._settings.longest_retry_s:
                    pause_s = self._settings.retry_s
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, self._settings.longest_retry_s)
        finally:
            await self._log.release(self.key)

    async def _round(self) -> None:
        """Read for as long as that goes; return at once where another node reads."""
        self._claim = await self._log.claim(self.key)
        self.reader = self._claim.reader
        if not self._claim.mine:
            self._become(FollowerState.STANDING_BY, f"node {self.reader} reads it")
            return
        self._pending.clear()
        self._untold = None
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._keep_claim())
                both.create_task(self._pump())
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    # ------------------------------------------------------------ reading

    async def _pump(self) -> None:
        stream = await self._source.open()
        try:
            self._stream = stream
            if (why := self._missed(stream)) is not None:
                self.take([Committed("", self._source.all_tags, why)])
            self._wake.set()
            self._become(FollowerState.READING, "")
            while True:
                self.take(await stream.read())
                while len(self._pending) >= MOST_PENDING:
                    self._room.clear()
                    await self._room.wait()
        finally:
            self._stream = None
            await stream.aclose()

    def _missed(self, stream: ChangeStream) -> str | None:
        """Why the stream may not tell all that came since the log has heard of the source; None where it does."""
        known, origin = None if self._claim is None else self._claim.known, stream.origin
        self._origin = "" if origin is None else origin.identity
        if known is None:
            return "nothing was told with these settings before"
        if origin is None:
            return None
        if known.origin != origin.identity:
            return "another server tells them now"
        if origin.confirmed and not has_reached(known.position, origin.confirmed):
            return "somebody else has read them, or the source has begun anew"
        return None

    def take(self, items: Sequence[ChangeItem]) -> None:
        """Make events of what has come, in its order."""
        tags: dict[str, None] = {}
        position = ""
        for item in items:
            if isinstance(item, Committed):
                self.counts.commits += 1
                if item.gap:
                    self._gap(item)
                tags.update(dict.fromkeys(item.tags))
                position = item.position
                if len(tags) < MOST_TAGS:
                    continue
            self._place(tags, position)
            tags, position = {}, ""
            if isinstance(item, Beat):
                self.counts.beats += 1
                self._after(self._moment_of(item))
            elif isinstance(item, AsOf):
                self._after(self._moment_at(item))
        self._place(tags, position)

    def _gap(self, item: Committed) -> None:
        self.counts.gaps[item.gap] += 1
        logger.warning(
            "changes %s: %s, at %s: all that its tags name is invalidated", self.name, item.gap, item.position
        )

    def _moment_of(self, beat: Beat) -> SourceMoment:
        """When a heartbeat was sent; one that is not ours says where the source is, and not when."""
        clock, _, ms = beat.content.rpartition(" ")
        if not clock or not ms.isdigit():
            return self._moment(None, beat.position)
        return SourceMoment(clock, int(ms), beat.position, self._origin)

    def _moment_at(self, item: AsOf) -> SourceMoment:
        """The same of a moment by the source's clock, which this node's is held to agree with."""
        claim = self._claim
        age_ms = max(0, round(self._clock.now() * 1000) - item.unix_ms)
        return self._moment(None if claim is None else claim.now_ms - age_ms, item.position)  # claimed before now

    def _moment(self, ms: int | None, position: str) -> SourceMoment:
        clock = "" if self._claim is None else self._claim.clock
        return SourceMoment(clock, ms, position, self._origin)

    def _place(self, tags: dict[str, None], position: str) -> None:
        """Put what was committed into the log; once it is there, the source has come so far."""
        if not tags:
            if position:
                self._after(self._moment(None, position))
            return
        self.counts.tags += len(tags)
        pending = _Pending(self._moment(None, position))
        self._pending.append(pending)

        def placed() -> None:
            pending.placed = True
            self._settle()

        self._log.place_soon(Invalidation(tags=tuple(tags)), placed)

    def _after(self, moment: SourceMoment) -> None:
        """The source has come so far, once all before is in the log."""
        if self._pending:
            self._pending[-1].then.append(moment)
        else:
            self._reached(moment)

    def _settle(self) -> None:
        """See to what has reached the log, in order."""
        while self._pending and self._pending[0].placed:
            for moment in self._pending.popleft().then:
                self._reached(moment)
        self._room.set()

    def _reached(self, moment: SourceMoment) -> None:
        """Tell it with the next claim: at once where it says since when, and else with the next heartbeat."""
        before = self._untold
        if not moment.position:
            return
        if moment.ms is not None:
            self._wake.set()
        elif before is not None and before.clock == moment.clock:
            moment = replace(moment, ms=before.ms)
        self._untold = moment

    # ------------------------------------------------------------ claims and heartbeats

    async def _keep_claim(self) -> None:
        """Go on having the source, tell how far it has come, and send heartbeats."""
        claimed_s = beat_s = self._clock.monotonic()
        while True:
            moment = self._told_now()
            try:
                asked_s = self._clock.monotonic()
                claim = await self._log.claim(self.key, moment)
            except ConnectionError as error:
                if self._clock.monotonic() - claimed_s > self._settings.claim_s:
                    raise ClaimLostError(str(error)) from error
                await asyncio.sleep(self._settings.retry_s)
                continue
            if not claim.mine:
                msg = f"node {claim.reader} reads it now"
                raise ClaimLostError(msg)
            self._claim, claimed_s = claim, asked_s
            stream = self._stream
            if stream is not None and moment is not None:
                stream.confirm(moment.position)  # never before it is told: who reads on would take it for missed
            if stream is not None and self._clock.monotonic() >= beat_s:
                beat_s = self._clock.monotonic() + self._beat_every_s
                await stream.beat(f"{claim.clock} {claim.now_ms}")
            await self._awoken(beat_s - self._clock.monotonic())

    def _told_now(self) -> SourceMoment | None:
        """What is to be told with the next claim; one that is lost is followed by that of the next heartbeat."""
        self._wake.clear()
        moment, self._untold = self._untold, None
        return moment

    async def _awoken(self, within_s: float) -> None:
        """Wait until something is to be told, or the next heartbeat is due."""
        try:
            async with asyncio.timeout(max(0.01, within_s)):
                await self._wake.wait()
        except TimeoutError:
            pass

    # ------------------------------------------------------------ states

    def _lost(self, error: SourceError) -> None:
        mended = "".join(f"\n  {statement};" for statement in error.sql)
        self._become(FollowerState.LOST, f"{error}{mended and '; what would mend it:'}{mended}", lasting=error.lasting)

    def _become(self, state: FollowerState, why: str, *, lasting: bool = False) -> None:
        """One line in the log for each change."""
        if (state, why) == (self.state, self.why):
            return
        self.state, self.why = state, why
        level = {FollowerState.LOST: logging.ERROR if lasting else logging.WARNING}.get(state, logging.INFO)
        logger.log(level, "changes %s: %s%s", self.name, state.value, f": {why}" if why else "")
