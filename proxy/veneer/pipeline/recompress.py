"""Coded bodies in steady demand, coded anew as hard as the coding can: in idle time, beside the event loop.

A hit does nothing for this: the store's marks of use are looked at once in a while. What is asked for a second time in
a coding is noted, and a candidate from the next look on; one that was used between each of several looks in a row is
hot. While the loop has time to spare, hot ones are coded, one at a time. The store takes the result only if it still
holds the very same entry.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from veneer.core.entry import CodedBody, Entry
from veneer.core.invalidation import Validity
from veneer.policy.model import CompressRules
from veneer.ports import Clock, Codec, EntryStore, InvalidationLog

LOOK_EVERY_S = 1.0
HOT_AFTER = 3
"""Looks in a row at which a candidate had been used since the one before."""

MAX_CANDIDATES = 1024
BUSY_MOST = 0.5
"""The share of the loop's time that requests take from which on nothing is coded."""

Name = tuple[str, tuple[tuple[str, str | None], ...], str]
"""Key, the values by which the response was selected, coding."""


@dataclass(slots=True)
class RecompressionCounts:
    """Bodies coded anew, and the bytes by which they became smaller."""

    recompressed: int = 0
    saved_bytes: int = 0


@dataclass(slots=True)
class _Candidate:
    """An entry that the store has let go of is let go of at the next look."""

    entry: Entry
    looks: int = 0


class Recompressor:
    """Implements the pipeline's `Recompression`. `busy_s` tells the processor time that the calling thread has used."""

    def __init__(
        self, store: EntryStore, log: InvalidationLog, codec: Codec, clock: Clock, busy_s: Callable[[], float]
    ) -> None:
        self._store = store
        self._log = log
        self._codec = codec
        self._clock = clock
        self._busy_s = busy_s
        self._candidates: OrderedDict[Name, _Candidate] = OrderedDict()
        self._noted: deque[tuple[str, Entry, str, CompressRules]] = deque(maxlen=MAX_CANDIDATES)
        self._wanted = asyncio.Event()
        self._since = (0.0, 0.0)
        self.counts = RecompressionCounts()

    def __len__(self) -> int:
        return len(self._candidates) + len(self._noted)

    def consider(self, key: str, entry: Entry, coding: str, rules: CompressRules) -> None:
        """Watch this body from the next look on, if it is worth it. A request waits for this, so that it only notes."""
        self._noted.append((key, entry, coding, rules))
        self._wanted.set()

    def _take_up(self) -> None:
        """Make candidates of what was noted. Past the bound the one unused for longest gives way."""
        while self._noted:
            key, entry, coding, rules = self._noted.popleft()
            name = (key, entry.vary, coding)
            known = self._candidates.get(name)
            if known is not None and known.entry is entry:
                continue
            if len(entry.body) > rules.idle_most_bytes or rules.level >= self._codec.hardest(coding):
                continue
            self._candidates[name] = _Candidate(entry)
            if len(self._candidates) > MAX_CANDIDATES:
                self._candidates.popitem(last=False)

    async def run(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Look every second while there are candidates, until cancelled."""
        while True:
            await self._wanted.wait()
            self._is_idle()
            await sleep(LOOK_EVERY_S)
            await self.run_round()
            if not self._candidates:
                self._wanted.clear()

    async def run_round(self) -> None:
        """Look at every candidate, then code the hot ones while there is time: until the next look is due."""
        due_s = self._clock.monotonic() + LOOK_EVERY_S
        idle = self._is_idle()
        for name in self._look():
            if not idle or self._clock.monotonic() >= due_s:
                break
            candidate = self._candidates.pop(name, None)
            if candidate is not None:
                await self._recompress(name, candidate.entry)
                idle = self._is_idle()

    def _look(self) -> list[Name]:
        """Which candidates are hot. Those that are gone are forgotten; those in use stand last."""
        self._take_up()
        used: dict[str, bool] = {}
        hot: list[Name] = []
        for name, candidate in list(self._candidates.items()):
            key = name[0]
            told = self._store.used_since(key, candidate.entry)
            if told is None:
                del self._candidates[name]
                continue
            used[key] = told or used.get(key, False)  # who asks second about a key is told of no use
            if not used[key]:
                candidate.looks = 0
            else:
                candidate.looks += 1
                self._candidates.move_to_end(name)
                if candidate.looks >= HOT_AFTER:
                    hot.append(name)
        return hot

    def _is_idle(self) -> bool:
        """Whether the loop's thread was idle for the better part of the time since this was asked last."""
        busy_s, now_s = self._busy_s(), self._clock.monotonic()
        before_busy_s, before_s = self._since
        self._since = (busy_s, now_s)
        return busy_s - before_busy_s < BUSY_MOST * (now_s - before_s)

    async def _recompress(self, name: Name, entry: Entry) -> None:
        key, _, coding = name
        kept = entry.coded_in(coding)
        if kept is None or kept.recompressed or not self._is_valid(entry):
            return
        body = await self._codec.encode_hardest(coding, entry.body)
        if len(body) > len(kept.body):
            body = kept.body
        if self._is_valid(entry) and self._store.attach(key, entry, CodedBody(coding, body, recompressed=True)):
            self.counts.recompressed += 1
            self.counts.saved_bytes += len(kept.body) - len(body)

    def _is_valid(self, entry: Entry) -> bool:
        return self._log.validity(entry) is Validity.VALID
