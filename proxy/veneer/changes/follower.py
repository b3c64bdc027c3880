"""Who follows one source of changes: one node at a time reads it, and what it brings becomes events of the log."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from veneer.core.invalidation import Invalidation
from veneer.core.sources import beat_every_s
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
    """An event on its way to the log, and what may be said once it is there."""

    __slots__ = ("placed", "then")

    def __init__(self, then: Callable[[], None] | None = None) -> None:
        self.placed = False
        self.then: list[Callable[[], None]] = [] if then is None else [then]


class Follower:
    """Follows one source for as long as `run` runs.

    What a commit names is in the log before the source is told that it may forget the commit; that all before a
    heartbeat has come is told to the other nodes once all before it is in the log (docs/guarantees.md).
    """

    def __init__(self, source: ChangeSource, log: SourceLog, clock: Clock, settings: FollowerSettings) -> None:
        self.name: Final = source.name
        self.state, self.why, self.reader = FollowerState.LOST, "", ""
        self.counts = FollowerCounts()
        self._source, self._log, self._clock, self._settings = source, log, clock, settings
        self._beat_every_s = beat_every_s(settings.max_lag_s)
        self._stream: ChangeStream | None = None
        self._pending: deque[_Pending] = deque()
        self._room, self._wake = asyncio.Event(), asyncio.Event()
        self._claim: SourceClaim | None = None
        self._untold: SourceMoment | None = None

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
            await self._log.release(self.name)

    async def _round(self) -> None:
        """Read for as long as that goes; return at once where another node reads."""
        self._claim = await self._log.claim(self.name)
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
                self._after(item.position, self._moment_of(item))
            elif isinstance(item, AsOf):
                self._after(item.position, self._moment_at(item))
        self._place(tags, position)

    def _gap(self, item: Committed) -> None:
        self.counts.gaps[item.gap] += 1
        logger.warning(
            "changes %s: %s, at %s: all that its tags name is invalidated", self.name, item.gap, item.position
        )

    def _moment_of(self, beat: Beat) -> SourceMoment | None:
        """When a heartbeat was sent; None where it is not ours."""
        clock, _, ms = beat.content.rpartition(" ")
        return SourceMoment(clock, int(ms), beat.position) if clock and ms.isdigit() else None

    def _moment_at(self, item: AsOf) -> SourceMoment | None:
        """The same of a moment by the source's clock, which this node's is held to agree with."""
        if self._claim is None:
            return None
        age_ms = max(0, round(self._clock.now() * 1000) - item.unix_ms)
        return SourceMoment(self._claim.clock, self._claim.now_ms - age_ms, item.position)  # the claim was before now

    def _place(self, tags: dict[str, None], position: str) -> None:
        """Put what was committed into the log; the source may forget it once it is there."""
        if not position:
            return
        if not tags:
            self._after(position, None)
            return
        self.counts.tags += len(tags)
        stream, pending = self._stream, _Pending(lambda: self._confirm(stream, position))
        self._pending.append(pending)

        def placed() -> None:
            pending.placed = True
            self._settle()

        self._log.place_soon(Invalidation(tags=tuple(tags)), placed)

    def _after(self, position: str, moment: SourceMoment | None) -> None:
        """Once all before it is in the log, the source may forget up to `position`, and all nodes hear of `moment`."""
        stream = self._stream

        def then() -> None:
            self._confirm(stream, position)
            if moment is not None:
                self._tell(moment)

        if self._pending:
            self._pending[-1].then.append(then)
        else:
            then()

    def _settle(self) -> None:
        """See to what has reached the log, in order."""
        while self._pending and self._pending[0].placed:
            for then in self._pending.popleft().then:
                then()
        self._room.set()

    def _confirm(self, stream: ChangeStream | None, position: str) -> None:
        if stream is not None and stream is self._stream:
            stream.confirm(position)

    # ------------------------------------------------------------ claims and heartbeats

    async def _keep_claim(self) -> None:
        """Go on having the source, tell how far it has come, and send heartbeats."""
        claimed_s = beat_s = self._clock.monotonic()
        while True:
            moment = self._told_now()
            try:
                asked_s = self._clock.monotonic()
                claim = await self._log.claim(self.name, moment)
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
            if stream is not None and self._clock.monotonic() >= beat_s:
                beat_s = self._clock.monotonic() + self._beat_every_s
                await stream.beat(f"{claim.clock} {claim.now_ms}")
            await self._awoken(beat_s - self._clock.monotonic())

    def _tell(self, moment: SourceMoment) -> None:
        self._untold = moment
        self._wake.set()

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
