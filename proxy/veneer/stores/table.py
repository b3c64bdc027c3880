"""The bounded table of recent invalidations: for each subject the last position at which it was named.

What is forgotten raises a horizon: for a hard invalidation everything born before it counts as dead, for a soft one
as soft. The answer is therefore never too kind, whatever the bound.
"""

from __future__ import annotations

from collections import Counter, OrderedDict

from veneer.core.entry import Entry
from veneer.core.invalidation import Invalidation, InvalidationMode, Validity
from veneer.core.subjects import EVERYTHING, answered, named, prefixes
from veneer.stores.holds import Holds

MAX_KEPT_BYTES = 4096
"""So many characters of what an entry answers to may be kept with it."""
DEFAULT_MAX_BYTES = 32 * 1024 * 1024
SUBJECT_COST_BYTES = 200
"""Bytes a subject takes beside its text: the dictionary's slot and link, the string's head, the number."""


class SubjectTable:
    """Last positions of subjects, oldest first, and the horizons below which everything counts as named.

    Every operation takes constant time in the number of subjects and entries.
    """

    def __init__(self, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        # Ordered by a linked list: taking the first of a plain dict costs time in what was taken before.
        self._last: dict[InvalidationMode, OrderedDict[str, int]] = {
            strength: OrderedDict() for strength in InvalidationMode
        }
        self._horizon = dict.fromkeys(InvalidationMode, 0)
        self._prefix_lengths: Counter[int] = Counter()
        self.holds = Holds()

    def __len__(self) -> int:
        return sum(len(last) for last in self._last.values())

    @property
    def size_bytes(self) -> int:
        """Bytes held, by estimate."""
        return self._bytes

    @property
    def horizon(self) -> int:
        """What was born before this position is dead."""
        return self._horizon[InvalidationMode.HARD]

    def apply(self, invalidation: Invalidation, seq: int) -> None:
        """Remember that the event at `seq` named its subjects. Applying an event twice changes nothing."""
        strength = invalidation.strength
        last = self._last[strength]  # once: the hash of an Enum runs Python
        for subject in named(invalidation):
            if subject == EVERYTHING:
                self.raise_horizon(seq, strength)
            else:
                self._remember(last, subject, seq)
        while self._bytes > self._max_bytes:
            self._forget_oldest()

    def raise_horizon(self, seq: int, strength: InvalidationMode = InvalidationMode.HARD) -> None:
        """Count everything born before `seq` as named there."""
        self._horizon[strength] = max(self._horizon[strength], seq)

    def clear(self, horizon: int) -> None:
        """Forget every subject; what was born before `horizon` is dead."""
        for last in self._last.values():
            last.clear()
        self._prefix_lengths.clear()
        self._bytes = 0
        self._horizon = {InvalidationMode.HARD: horizon, InvalidationMode.SOFT: 0}

    def validity(self, entry: Entry, since: int) -> Validity:
        """What the events after `since` say of an entry."""
        if self._named_after(InvalidationMode.HARD, entry, since):
            return Validity.DEAD
        if self._named_after(InvalidationMode.SOFT, entry, since):
            return Validity.SOFT
        return Validity.VALID

    def _named_after(self, strength: InvalidationMode, entry: Entry, since: int) -> bool:
        if since < self._horizon[strength]:
            return True
        last = self._last[strength]
        if not last:
            return False
        for subject in _subjects(entry):
            if last.get(subject, 0) > since:
                return True
        if not self._prefix_lengths:
            return False
        return any(last.get(subject, 0) > since for subject in prefixes(entry, self._prefix_lengths))

    def _remember(self, last: OrderedDict[str, int], subject: str, seq: int) -> None:
        before = last.pop(subject, None)
        if before is None:
            self._bytes += len(subject) + SUBJECT_COST_BYTES
            if subject.startswith("p:"):
                self._prefix_lengths[len(subject) - 2] += 1
        last[subject] = seq if before is None else max(before, seq)

    def _forget_oldest(self) -> None:
        strength = min(
            (strength for strength, last in self._last.items() if last),
            key=lambda strength: next(iter(self._last[strength].values())),
        )
        last = self._last[strength]
        subject, seq = last.popitem(last=False)
        self.raise_horizon(seq, strength)
        self._bytes -= len(subject) + SUBJECT_COST_BYTES
        if subject.startswith("p:"):
            length = len(subject) - 2
            self._prefix_lengths[length] -= 1
            if not self._prefix_lengths[length]:
                del self._prefix_lengths[length]


def check(entry: Entry, table: SubjectTable, moved: int, epoch: str, applied: int) -> Validity:
    """Judge `entry` by the table and remember the answer in its memo until the log has `moved` again.

    An entry found valid is as good as born where it was found so, which keeps entries in use above the horizon.
    `applied` is the last position in the table; without an `epoch` nothing can be known.
    """
    memo = entry.memo
    if not epoch or entry.born.epoch != epoch:
        verdict = Validity.DEAD
    elif table.holds and table.holds.touch(entry, _subjects(entry)):
        verdict = Validity.DEAD  # and what is born now will be, when the hold is closed
    else:
        verdict = table.validity(entry, max(entry.born.seq, memo.through))
        if verdict is Validity.VALID:
            memo.through = max(memo.through, applied)
    memo.moved, memo.validity = moved, verdict
    return verdict


def _subjects(entry: Entry) -> tuple[str, ...]:
    """What `entry` answers to.

    The texts take a third of the room of all else about a small entry: at first they are not kept. Of tags with many
    colons, which answer to a text for each, they take many times the entry's size, which no store counts: never kept.
    """
    memo = entry.memo
    if memo.subjects is not None:
        return memo.subjects
    subjects = answered(entry)
    if memo.moved >= 0 and sum(map(len, subjects)) <= MAX_KEPT_BYTES:
        memo.subjects = subjects
    return subjects
