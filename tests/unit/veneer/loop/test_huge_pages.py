"""What the heap has filled comes onto huge pages, and nothing else does."""

from __future__ import annotations

import mmap
import subprocess
import sys
from pathlib import Path

import pytest

from veneer.loop.huge_pages import (
    AHEAD_BYTES,
    GROWN_BYTES,
    HUGE_BYTES,
    HugePages,
    is_allowed,
    keep_on_huge_pages,
    regions,
)

TEXT = bytes(range(256)) * (HUGE_BYTES // 256)
MAPS = """\
55aa00001000-55aa00a00000 rw-p 00000000 00:00 0                          [heap]
7f0000000000-7f0000400000 rw-p 00000000 00:00 0
7f0000500000-7f0000800000 rw-p 00000000 00:00 0                          [anon:python]
7f0000800000-7f0001000000 r--p 00000000 00:00 0
7f0001000000-7f0002000000 rw-p 00000000 fe:00 260131                     /usr/lib/some.so
7f0002000000-7f0003000000 rw-s 00000000 00:01 7                          /dev/zero (deleted)
7f0003000000-7f0003100000 rw-p 00000000 00:00 0
7fff00000000-7fff00800000 rw-p 00000000 00:00 0                          [stack]
"""


def test_only_whole_pages_of_the_heap_are_looked_at() -> None:
    found = [[hex(address) for address in region] for region in regions(MAPS.splitlines())]
    assert found == [
        [hex(0x55AA00200000 + number * HUGE_BYTES) for number in range(4)],
        ["0x7f0000000000", "0x7f0000200000"],
        ["0x7f0000600000"],
        [],
    ]


def _huge_bytes() -> int:
    text = Path("/proc/self/smaps_rollup").read_text("ascii")
    return int(text.split("AnonHugePages:")[1].split()[0]) * 1024


@pytest.mark.skipif(not is_allowed(), reason="the system has no huge pages")
def test_what_is_filled_is_moved_and_what_is_not_stays_as_it_is() -> None:
    filled, pages = GROWN_BYTES + HUGE_BYTES, HugePages()
    assert not pages.is_due()
    with mmap.mmap(-1, 2 * filled, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        for at in range(0, filled, HUGE_BYTES):
            memory[at : at + HUGE_BYTES] = TEXT
        before = _huge_bytes()
        assert pages.is_due()
        while pages.is_due():
            pages.run_round()
        assert all(memory[at : at + HUGE_BYTES] == TEXT for at in range(0, filled, HUGE_BYTES))
        if _huge_bytes() == before:
            pytest.skip("the kernel does not do this when it is asked to, or has no memory for it")
        assert _huge_bytes() >= before + filled - 2 * HUGE_BYTES


GROWING = """
from pathlib import Path
from veneer.loop.huge_pages import AHEAD_BYTES, HugePages

def mapped():
    text = Path("/proc/self/smaps_rollup").read_text()
    return int(text.split("AnonHugePages:")[1].split()[0]) * 1024

def fill(size):
    return [bytes([number % 251]) * 2048 for number in range(size // 2100)]

pages = HugePages()
before = fill(AHEAD_BYTES // 4)
given_unasked = mapped()
pages.ask_ahead()
after = fill(AHEAD_BYTES // 2)
print(mapped() - given_unasked)
pages.run_round()
pages.ask_ahead()
del after, before
pages.ask_ahead()
again = fill(AHEAD_BYTES * 2)
assert all(piece == piece[:1] * 2048 for piece in again)
"""


@pytest.mark.skipif(not is_allowed(), reason="the system has no huge pages")
def test_what_malloc_takes_is_asked_for_before_it_is_filled() -> None:
    ran = subprocess.run([sys.executable, "-c", GROWING], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    if int(ran.stdout) == 0:
        pytest.skip("malloc is another one, or the kernel has no memory for it")
    assert int(ran.stdout) >= AHEAD_BYTES // 2 - 2 * HUGE_BYTES


async def test_it_looks_again_and_again_until_it_is_cancelled() -> None:
    waits: list[float] = []

    async def sleep(wait_s: float) -> None:
        waits.append(wait_s)
        if len(waits) == 3:
            raise InterruptedError

    if is_allowed():
        with pytest.raises(InterruptedError):
            await keep_on_huge_pages(sleep)
        assert len(waits) == 3
    else:
        await keep_on_huge_pages(sleep)
        assert not waits
