"""The hot entries by their fingerprints.

Where entries are many, each step of a lookup waits for memory far away: the slot, the hot entry, what that leads to. A
processor goes on past such a wait for some hundreds of instructions. So what several requests ask for is looked up step
by step for all of them, in loops so short that their waits overlap; between two lookups in a dict lies too much.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from veneer.fastpath.hot_entries import HotEntry

MIN_SLOTS: Final = 1_024
MAX_SLOTS: Final = 4 * 1_024 * 1_024
SLOTS_FOR_AN_ENTRY: Final = 4
"""While there are more to be had. Of 100 hot entries 88 are then the first that their slot leads to."""
MEMORY_FOR_A_SLOT_BYTES: Final = 2_048
"""Of what the store may hold: a slot of 8 bytes for so much."""


def slots_for(memory_bytes: int) -> int:
    """How many slots serve a store that may hold so much."""
    return min(max(memory_bytes // MEMORY_FOR_A_SLOT_BYTES, MIN_SLOTS), MAX_SLOTS)


class HotEntryTable:
    """A hash table with chains through the hot entries, over at most `slots` slots.

    It takes slots into use one by one (linear hashing: Litwin, VLDB 1980), so that no addition pays for all before it,
    and few hot entries lie close together. The list has them all from the start: one that is made before the process
    serves is one that the cycle collector does not walk through (loop.tuning).
    """

    __slots__ = ("_count", "_firsts", "_level_mask", "_split_pointer")

    def __init__(self, slots: int) -> None:
        self._firsts: list[HotEntry | None] = [None] * slots
        self._count: i64 = 0
        self._split_pointer: i64 = 1
        self._level_mask: i64 = 0

    def __len__(self) -> int:
        return self._count

    def get(self, hash_a: i64, hash_b: i64) -> HotEntry | None:
        """The hot entry with this fingerprint."""
        hot_entry = self._firsts[self._slot(hash_a)]
        while hot_entry is not None and (hot_entry.hash_a != hash_a or hot_entry.hash_b != hash_b):
            hot_entry = hot_entry.next_in_chain
        return hot_entry

    def put(self, hot_entry: HotEntry) -> None:
        """Keep it, in place of another one with its fingerprint."""
        old = self.get(hot_entry.hash_a, hot_entry.hash_b)
        if old is not None:
            self.discard(old)
        self._count += 1
        while self._split_pointer < SLOTS_FOR_AN_ENTRY * self._count and self._split_pointer < len(self._firsts):
            self._split_next_bucket()
        slot = self._slot(hot_entry.hash_a)
        hot_entry.next_in_chain = self._firsts[slot]
        self._firsts[slot] = hot_entry

    def discard(self, hot_entry: HotEntry) -> None:
        """Forget this one, where it is kept."""
        slot = self._slot(hot_entry.hash_a)
        before: HotEntry | None = None
        at = self._firsts[slot]
        while at is not None and at is not hot_entry:
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
        """Forget all. Hot entries live on with their entries; none must keep the next one alive."""
        firsts = self._firsts
        for slot in range(self._split_pointer):
            hot_entry = firsts[slot]
            firsts[slot] = None
            while hot_entry is not None:
                following = hot_entry.next_in_chain
                hot_entry.next_in_chain = None
                hot_entry = following
        self._count = 0

    def prefetch(self, asked: list[i64]) -> i64:
        """Have what hits for targets with these first hashes will read come near, all at once.

        What it returns only shows that it was read.
        """
        firsts = self._firsts
        found = [firsts[self._slot(hash_a)] for hash_a in asked]
        seen: i64 = 0
        for number, first in enumerate(found):
            hash_a = asked[number]
            hot_entry = first
            while hot_entry is not None and hot_entry.hash_a != hash_a:
                hot_entry = hot_entry.next_in_chain
            if hot_entry is not None:
                # `aged_from` is on the last line of memory of a hot entry. The processor reads the lines of the body
                # behind its first by itself. Each length is a machine integer before it is added: with Python's the
                # loop is longer, and fewer waits overlap.
                if hot_entry.aged_from > 0.0:
                    seen += 1
                unique_lines = hot_entry.unique_lines
                own_bytes: i64 = len(unique_lines)
                if own_bytes > 0:
                    seen += unique_lines[own_bytes - 1]
                body_bytes: i64 = len(hot_entry.body)
                seen += body_bytes
        return seen

    def _slot(self, hash_a: i64) -> i64:
        slot = hash_a & self._level_mask
        return slot if slot < self._split_pointer else slot & (self._level_mask >> 1)

    def _split_next_bucket(self) -> None:
        """Part the hot entries of another slot with the next one."""
        firsts, new = self._firsts, self._split_pointer
        if new > self._level_mask:
            self._level_mask = 2 * self._level_mask + 1
        self._split_pointer = new + 1
        old = new & (self._level_mask >> 1)
        hot_entry = firsts[old]
        stays: HotEntry | None = None
        goes: HotEntry | None = None
        while hot_entry is not None:
            following = hot_entry.next_in_chain
            if hot_entry.hash_a & self._level_mask == new:
                hot_entry.next_in_chain = goes
                goes = hot_entry
            else:
                hot_entry.next_in_chain = stays
                stays = hot_entry
            hot_entry = following
        firsts[old], firsts[new] = stays, goes
