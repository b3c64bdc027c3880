"""Huge pages for a heap that grows large.

With many entries a good part of a hit's time goes into finding where its pages lie: a page of 4 KB holds one entry, one
of 2 MB hundreds. Linux gives huge pages to whoever asks for them, and neither malloc nor Python asks. Where malloc will
put what is larger than 512 bytes, they are asked for ahead: malloc takes more address space than it needs at once.
Where Python itself puts small objects cannot be told ahead, so what it has filled is moved onto huge pages from time to
time (MADV_COLLAPSE, Linux 6.1), a little at once, in a thread.
"""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from mmap import PAGESIZE
from pathlib import Path

from veneer.loop.tuning import grow_heap_by

HUGE_BYTES = 2 * 1024 * 1024
FILLED_FROM = 15 / 16
"""The share of a huge page that has to be in use already: the rest of it is memory that nobody asked for."""

AHEAD_BYTES = 128 * 1024 * 1024
"""Address space, not memory: of a heap that grows by 60 MB a second a quarter is filled before it is asked for.

So much that is freed at the end of the heap is kept as well.
"""
GROWN_BYTES = 64 * 1024 * 1024
ROUND_EVERY_S = 0.5
MAX_PER_ROUND = 4
"""Moving one takes some milliseconds."""

_MADV_HUGEPAGE, _MADV_COLLAPSE = 14, 25  # madvise(2)
_SETTINGS = Path("/sys/kernel/mm/transparent_hugepage")
_MAPS, _SIZES = Path("/proc/self/maps"), Path("/proc/self/statm")


def regions(maps: Iterable[str]) -> Iterator[range]:
    """Where huge pages may begin, for each part of the heap: proc(5)'s lines of private, writable, nameless memory."""
    for line in maps:
        place, rights, _, _, file, *name = line.split()
        if rights != "rw-p" or file != "0" or (name and not name[0].startswith(("[heap]", "[anon:"))):
            continue
        begin, end = (int(address, 16) for address in place.split("-"))
        yield _whole_pages(begin, end)


def _whole_pages(begin: int, end: int) -> range:
    """Where huge pages may begin between two addresses; it starts at the first such place even where none fits."""
    return range(-(-begin // HUGE_BYTES) * HUGE_BYTES, end - HUGE_BYTES + 1, HUGE_BYTES)


def is_allowed() -> bool:
    """Whether the system has huge pages of the size that is meant here, and its administrator allows them."""
    try:
        size, allowed = ((_SETTINGS / name).read_text("ascii") for name in ("hpage_pmd_size", "enabled"))
    except OSError:
        return False
    return int(size) == HUGE_BYTES and "[never]" not in allowed


class HugePages:
    """Asks for huge pages where malloc's heap will grow, and moves what this process has filled without them.

    It moves round after round, once the process has grown. `_huge` are places that lie on one, or will once something
    is put there.
    """

    def __init__(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._madvise, self._mincore, self._sbrk = libc.madvise, libc.mincore, libc.sbrk
        self._sbrk.argtypes, self._sbrk.restype = (ctypes.c_ssize_t,), ctypes.c_size_t
        self._madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        self._mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
        self._present = ctypes.create_string_buffer(HUGE_BYTES // PAGESIZE)
        self._huge: set[int] = set()
        self.is_under_way = False
        self._resident_bytes = resident_bytes()
        self._heap_end = self._sbrk(0)
        grow_heap_by(AHEAD_BYTES)

    def ask_ahead(self) -> None:
        """Ask for what malloc has taken since the last time. What it has filled of it meanwhile will be moved."""
        end = self._sbrk(0)
        new = _whole_pages(self._heap_end, end)
        if end > new.start:
            self._madvise(new.start, end - new.start, _MADV_HUGEPAGE)
            self._huge.update(place for place in new if not self._is_filled(place))
        self._heap_end = end

    def is_due(self) -> bool:
        """Whether a round is under way, or the process has grown enough since the last one for another."""
        now_bytes = resident_bytes()
        self._resident_bytes = min(self._resident_bytes, now_bytes)
        return self.is_under_way or now_bytes >= self._resident_bytes + GROWN_BYTES

    def run_round(self) -> None:
        """Go on with a round. What the process gives back meanwhile the system refuses to move."""
        places = [place for region in regions(_MAPS.read_text("utf-8").splitlines()) for place in region]
        self._huge.intersection_update(places)
        new = (place for place in places if place not in self._huge and self._is_filled(place))
        moved = list(islice(new, MAX_PER_ROUND))
        for place in moved:
            self._madvise(place, HUGE_BYTES, _MADV_COLLAPSE)
        self._huge.update(moved)
        self.is_under_way = len(moved) == MAX_PER_ROUND
        if not self.is_under_way:
            self._resident_bytes = resident_bytes()

    def _is_filled(self, address: int) -> bool:
        if self._mincore(address, HUGE_BYTES, self._present):
            return False
        return self._present.raw.count(b"\1") >= FILLED_FROM * len(self._present)


def resident_bytes() -> int:
    """Bytes of memory this process has."""
    return int(_SIZES.read_text("ascii").split()[1]) * PAGESIZE


async def keep_on_huge_pages(sleep: Callable[[float], Awaitable[None]]) -> None:
    """Look again and again for what to ask for and what to move, until cancelled. Ends where that is not allowed."""
    if not is_allowed():
        return
    pages = HugePages()
    while True:
        await sleep(ROUND_EVERY_S)
        with suppress(OSError):  # no file descriptor is left to look with, for one; later there may be
            pages.ask_ahead()
            if pages.is_due():
                await asyncio.to_thread(pages.run_round)
