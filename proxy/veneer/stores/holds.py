"""Writes in doubt: what they may still change, at any moment, is neither served from a store nor stored.

A hold is opened by the event of a write whose outcome nobody knows, and closed by the same event once more, when the
backend must have ended the write. See "Writes in doubt" in docs/guarantees.md.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from veneer.core.entry import Entry
from veneer.core.invalidation import Invalidation
from veneer.core.subjects import EVERYTHING, named, prefixes

_Key = TypeVar("_Key", str, int)

MAX_HELD: Final = 1_000
"""Holds at a time; the next one holds everything, since none may be lost."""

PENDING: Final = 1 << 62
"""The position of a hold whose event has none yet: no close that is heard meanwhile was meant for it."""


@dataclass(frozen=True, slots=True)
class Hold:
    """What is held, until about when (monotonic seconds of this process), and the position that opened it."""

    event: Invalidation
    until_s: float
    seq: int


def hold_name(raw: bytes) -> str:
    """The name of the hold of an event, given as it stands in the log: equal events share one."""
    return hashlib.sha1(raw, usedforsecurity=False).hexdigest()


class Holds:
    """The holds in force at this node."""

    def __init__(self) -> None:
        self._held: dict[str, Hold] = {}
        self._subjects: Counter[str] = Counter()
        self._prefix_lengths: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, name: str) -> bool:
        return name in self._held

    def add(self, name: str, hold: Hold) -> None:
        """Hold what the event names; one that is held already is held for longer."""
        before = self._held.get(name)
        if before is None:
            self._count(hold.event, 1)
            self._held[name] = hold
        else:
            self._held[name] = replace(hold, until_s=max(before.until_s, hold.until_s))

    def extend(self, name: str, hold: Hold) -> None:
        """As `add`, by somebody who does not know by which event it was opened."""
        before = self._held.get(name)
        self.add(name, hold if before is None else replace(hold, seq=before.seq))

    def close(self, name: str, seq: int) -> None:
        """End the hold that an event before `seq` opened."""
        hold = self._held.get(name)
        if hold is not None and hold.seq < seq:
            self._count(hold.event, -1)
            del self._held[name]

    def overdue(self, before_s: float) -> tuple[str, ...]:
        """The holds that should have ended before that moment."""
        return tuple(name for name, hold in self._held.items() if hold.until_s < before_s)

    def items(self) -> tuple[tuple[str, Hold], ...]:
        """All of them."""
        return tuple(self._held.items())

    def touch(self, entry: Entry, subjects: Iterable[str]) -> bool:
        """Whether a hold names the entry, which answers to `subjects`."""
        counted = self._subjects
        if EVERYTHING in counted or any(subject in counted for subject in subjects):
            return True
        return any(subject in counted for subject in prefixes(entry, self._prefix_lengths))

    def _count(self, event: Invalidation, step: int) -> None:
        for subject in named(event):
            _add(self._subjects, subject, step)
            if subject.startswith("p:"):
                _add(self._prefix_lengths, len(subject) - 2, step)


def _add(counter: Counter[_Key], key: _Key, step: int) -> None:
    counter[key] += step
    if not counter[key]:
        del counter[key]
