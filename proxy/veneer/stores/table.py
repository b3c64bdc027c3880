"""The bounded table of recent invalidations: for each subject the last position at which it was named.

What is forgotten raises a horizon: for a hard invalidation everything born before it counts as dead, for a soft one
as soft. The answer is therefore never too kind, whatever the bound.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Final

from veneer.core.entry import Entry
from veneer.core.invalidation import Invalidation, InvalidationMode, Validity
from veneer.core.subjects import EVERYTHING, answered, named, prefixes
from veneer.stores.holds import Holds

MAX_KEPT_BYTES = 4096
"""So many characters of what an entry answers to may be kept with it."""
DEFAULT_MAX_BYTES = 32 * 1024 * 1024
SUBJECT_COST_BYTES = 200
"""Bytes a subject takes beside its text: the dictionary's slot and link, the string's head, the number."""


# To look a member of an Enum up, or to hash it, runs Python.
HARD: Final = InvalidationMode.HARD
DEAD: Final = Validity.DEAD
SOFT: Final = Validity.SOFT
VALID: Final = Validity.VALID


class _NamedSubjects:
    """What was named by the invalidations of one mode.

    `last` has each subject's last position, the one named longest ago first: by a linked list, since taking the first
    of a plain dict costs time in what was taken before. What was born before `horizon` counts as named.
    """

    __slots__ = ("horizon", "last")

    def __init__(self) -> None:
        self.last: OrderedDict[str, int] = OrderedDict()
        self.horizon = 0

    def raise_horizon(self, seq: int) -> None:
        """Count everything born before `seq` as named."""
        self.horizon = max(self.horizon, seq)


class SubjectTable:
    """Last positions of subjects, oldest first, and the horizons below which everything counts as named.

    Every operation takes constant time in the number of subjects and entries.
    """

    def __init__(self, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._hard = _NamedSubjects()
        self._soft = _NamedSubjects()
        self._prefix_lengths: Counter[int] = Counter()
        self.holds = Holds()

    def __len__(self) -> int:
        return len(self._hard.last) + len(self._soft.last)

    @property
    def size_bytes(self) -> int:
        """Bytes held, by estimate."""
        return self._bytes

    @property
    def horizon(self) -> int:
        """What was born before this position is dead."""
        return self._hard.horizon

    def apply(self, invalidation: Invalidation, seq: int) -> None:
        """Remember that the event at `seq` named its subjects. Applying an event twice changes nothing."""
        of_mode = self._hard if invalidation.strength is HARD else self._soft
        for subject in named(invalidation):
            if subject == EVERYTHING:
                of_mode.raise_horizon(seq)
            else:
                self._remember(of_mode.last, subject, seq)
        while self._bytes > self._max_bytes:
            self._forget_oldest()

    def raise_horizon(self, seq: int) -> None:
        """Count everything born before `seq` as dead."""
        self._hard.raise_horizon(seq)

    def clear(self, horizon: int) -> None:
        """Forget every subject; what was born before `horizon` is dead."""
        self._hard, self._soft = _NamedSubjects(), _NamedSubjects()
        self._hard.horizon = horizon
        self._prefix_lengths.clear()
        self._bytes = 0

    def validity(self, entry: Entry, since: int) -> Validity:
        """What the events after `since` say of an entry."""
        if self._named_after(self._hard, entry, since):
            return DEAD
        if self._named_after(self._soft, entry, since):
            return SOFT
        return VALID

    def _named_after(self, of_mode: _NamedSubjects, entry: Entry, since: int) -> bool:
        if since < of_mode.horizon:
            return True
        last = of_mode.last
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
        of_mode = min(
            [of_mode for of_mode in (self._hard, self._soft) if of_mode.last],
            key=lambda of_mode: next(iter(of_mode.last.values())),
        )
        subject, seq = of_mode.last.popitem(last=False)
        of_mode.raise_horizon(seq)
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
        verdict = DEAD
    elif table.holds and table.holds.touch(entry, _subjects(entry)):
        verdict = DEAD  # and what is born now will be, when the hold is closed
    else:
        verdict = table.validity(entry, max(entry.born.seq, memo.through))
        if verdict is VALID:
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
