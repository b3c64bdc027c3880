"""The spots by their marks.

Where entries are many, each step of a lookup waits for memory far away: the slot, the spot, what the spot leads to. A
processor goes on past such a wait for some hundreds of instructions. So what several requests ask for is looked up step
by step for all of them, in loops so short that their waits overlap; between two lookups in a dict lies too much.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from veneer.fastpath.hot_entries import HotEntry

MIN_SLOTS: Final = 1_024
MAX_SLOTS: Final = 4 * 1_024 * 1_024
SLOTS_FOR_A_SPOT: Final = 4
"""While there are more to be had. Of 100 spots 88 are then the first that their slot leads to."""
MEMORY_FOR_A_SLOT_BYTES: Final = 2_048
"""Of what the store may hold: a slot of 8 bytes for so much."""


def slots_for(memory_bytes: int) -> int:
    """How many slots serve a store that may hold so much."""
    return min(max(memory_bytes // MEMORY_FOR_A_SLOT_BYTES, MIN_SLOTS), MAX_SLOTS)


class HotEntryTable:
    """A hash table with chains through the spots, over at most `slots` slots.

    It takes slots into use one by one (linear hashing: Litwin, VLDB 1980), so that no addition pays for all before it,
    and few spots lie close together. The list has them all from the start: one that is made before the process serves
    is one that the cycle collector does not walk through (app.tuning).
    """

    __slots__ = ("_count", "_firsts", "_mask", "_used")

    def __init__(self, slots: int) -> None:
        self._firsts: list[HotEntry | None] = [None] * slots
        self._count: i64 = 0
        self._used: i64 = 1
        self._mask: i64 = 0

    def __len__(self) -> int:
        return self._count

    def get(self, hashed: i64, check: i64) -> HotEntry | None:
        """The spot with these marks."""
        spot = self._firsts[self._slot(hashed)]
        while spot is not None and (spot.hashed != hashed or spot.check != check):
            spot = spot.next_in_chain
        return spot

    def put(self, spot: HotEntry) -> None:
        """Keep it, in place of another one with its marks."""
        old = self.get(spot.hashed, spot.check)
        if old is not None:
            self.discard(old)
        self._count += 1
        while self._used < SLOTS_FOR_A_SPOT * self._count and self._used < len(self._firsts):
            self._split_next_bucket()
        slot = self._slot(spot.hashed)
        spot.next_in_chain = self._firsts[slot]
        self._firsts[slot] = spot

    def discard(self, spot: HotEntry) -> None:
        """Forget this one, where it is kept."""
        slot = self._slot(spot.hashed)
        before: HotEntry | None = None
        at = self._firsts[slot]
        while at is not None and at is not spot:
            before, at = at, at.next_in_chain
        if at is None:
            return
        if before is None:
            self._firsts[slot] = at.next_in_chain
        else:
            before.next_in_chain = at.next_in_chain
        at.next_in_chain = None
        self._count -= 1

    def clear(self) -> None:
        """Forget all. Spots live on with their entries; none must keep the next one alive."""
        firsts = self._firsts
        for slot in range(self._used):
            spot = firsts[slot]
            firsts[slot] = None
            while spot is not None:
                following = spot.next_in_chain
                spot.next_in_chain = None
                spot = following
        self._count = 0

    def prefetch(self, asked: list[i64]) -> i64:
        """Have what hits for targets with these first hashes will read come near, all at once.

        What it returns only shows that it was read.
        """
        firsts = self._firsts
        found = [firsts[self._slot(hashed)] for hashed in asked]
        seen: i64 = 0
        for number, first in enumerate(found):
            hashed = asked[number]
            spot = first
            while spot is not None and spot.hashed != hashed:
                spot = spot.next_in_chain
            if spot is not None:
                # `aged_from` is on the spot's last line of memory. The processor reads the lines of the body behind its
                # first by itself. Each length is a machine integer before it is added: with Python's the loop is
                # longer, and fewer waits overlap.
                if spot.aged_from > 0.0:
                    seen += 1
                own = spot.own
                own_bytes: i64 = len(own)
                if own_bytes > 0:
                    seen += own[own_bytes - 1]
                body_bytes: i64 = len(spot.body)
                seen += body_bytes
        return seen

    def _slot(self, hashed: i64) -> i64:
        slot = hashed & self._mask
        return slot if slot < self._used else slot & (self._mask >> 1)

    def _split_next_bucket(self) -> None:
        """Part the spots of another slot with the next one."""
        firsts, new = self._firsts, self._used
        if new > self._mask:
            self._mask = 2 * self._mask + 1
        self._used = new + 1
        old = new & (self._mask >> 1)
        spot = firsts[old]
        stays: HotEntry | None = None
        goes: HotEntry | None = None
        while spot is not None:
            following = spot.next_in_chain
            if spot.hashed & self._mask == new:
                spot.next_in_chain = goes
                goes = spot
            else:
                spot.next_in_chain = stays
                stays = spot
            spot = following
        firsts[old], firsts[new] = stays, goes
