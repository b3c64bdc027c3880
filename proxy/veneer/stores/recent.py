"""The latest invalidations in full: whether any but one's own has named an entry in a short while."""

from __future__ import annotations

from collections import deque

from veneer.core.entry import Entry
from veneer.core.invalidation import Invalidation
from veneer.core.subjects import EVERYTHING, answered, named, path_of

KEPT = 512
SUBJECTS_KEPT = 4096
"""Under a megabyte of usual tags, however many one event names."""


class RecentEvents:
    """The last events in the order of the log, bounded in events and in what they name together."""

    def __init__(self, kept: int = KEPT, subjects_kept: int = SUBJECTS_KEPT) -> None:
        self._kept = kept
        self._subjects_kept = subjects_kept
        self._events: deque[tuple[int, Invalidation]] = deque()
        self._subjects = 0

    def __len__(self) -> int:
        return len(self._events)

    def note(self, seq: int, event: Invalidation) -> None:
        """Remember the event at `seq`; each is the one after the last, or `clear` was called."""
        self._events.append((seq, event))
        self._subjects += _size(event)
        while len(self._events) > self._kept or self._subjects > self._subjects_kept:
            self._subjects -= _size(self._events.popleft()[1])

    def clear(self) -> None:
        """Events are missing from here on."""
        self._events.clear()
        self._subjects = 0

    def spare(self, entry: Entry, after: int, before: int) -> bool:
        """Whether no event between the two positions, both exclusive, names `entry`; False where that is not known."""
        between = [event for seq, event in self._events if after < seq < before]
        if len(between) != max(0, before - after - 1):
            return False
        return not any(_touches(frozenset(named(event)), entry) for event in between)


def _size(event: Invalidation) -> int:
    """How many subjects it names."""
    return len(event.tags) + len(event.uris) + len(event.uri_prefixes) + event.everything


def _touches(subjects: frozenset[str], entry: Entry) -> bool:
    if EVERYTHING in subjects or not subjects.isdisjoint(answered(entry)):
        return True
    uris = (entry.uri, path_of(entry.uri))
    return any(uri.startswith(subject[2:]) for subject in subjects if subject.startswith("p:") for uri in uris)
