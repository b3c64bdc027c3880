"""The last purges with what came of them, for who looks afterwards: bounded, and of this node alone."""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from veneer.admin.purge import PurgeRequest
from veneer.observe.lines import timestamp
from veneer.ports import Clock, Receipt

MOST: Final = 100
_SHOWN: Final = 20
"""Names of each kind that are kept of a purge."""


class PurgeNote(msgspec.Struct, frozen=True):
    """One purge. `names` is how many tags, URLs and prefixes it named; of each kind the first are here."""

    at: str
    names: int
    tags: tuple[str, ...]
    urls: tuple[str, ...]
    prefixes: tuple[str, ...]
    everything: bool
    soft: bool
    receipt: Receipt


class Purges(msgspec.Struct, frozen=True):
    """The answer of GET /purges: the latest first, at most 100."""

    purges: tuple[PurgeNote, ...] = ()


class RecentPurges:
    """The ring."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._notes: deque[PurgeNote] = deque(maxlen=MOST)

    def note(self, asked: PurgeRequest, receipt: Receipt) -> None:
        """Keep one that was made."""
        self._notes.appendleft(
            PurgeNote(
                at=timestamp(self._clock.now()),
                names=len(asked.tags) + len(asked.urls) + len(asked.prefixes),
                tags=_first(asked.tags),
                urls=_first(asked.urls),
                prefixes=_first(asked.prefixes),
                everything=asked.everything,
                soft=asked.soft,
                receipt=receipt,
            )
        )

    def told(self) -> Purges:
        """All of them."""
        return Purges(tuple(self._notes))


def _first(names: list[str]) -> tuple[str, ...]:
    return tuple(name[:200] for name in names[:_SHOWN])
