"""What a long-lived process that handles many small objects and large pieces asks of its run time."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import signal
import sys

GC_YOUNG_OBJECTS = 20_000

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3  # malloc.h of glibc
PR_SET_PDEATHSIG = 1  # prctl.h of Linux
MMAP_FROM_BYTES = 1024 * 1024
KEPT_AT_TOP_BYTES = 32 * 1024 * 1024


def calm_collector() -> None:
    """Take what lives as long as the process out of the cycle collector's sight, and call it less often.

    An exchange makes some hundred objects and hardly a cycle: by default a quarter of its time goes to the search.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_YOUNG_OBJECTS, 20, 50)


def steady_heap() -> bool:
    """Keep freed memory for the next piece of a body instead of giving it back to the system and faulting it in again.

    A streamed body goes through buffers of up to 256 KB, which glibc would map and unmap one by one: half of the system
    time of a streamed response. Larger blocks are still mapped, so that what is evicted is given back. Does nothing,
    and returns False, where the C library is another one.
    """
    return _tell_malloc(M_MMAP_THRESHOLD, MMAP_FROM_BYTES) and _tell_malloc(M_TRIM_THRESHOLD, KEPT_AT_TOP_BYTES)


def grow_heap_by(step_bytes: int) -> bool:
    """Let malloc take so much more address space than it needs when it needs some. Otherwise as `steady_heap`."""
    return _tell_malloc(M_TOP_PAD, step_bytes)


def _tell_malloc(option: int, value: int) -> bool:
    try:
        return bool(ctypes.CDLL(None).mallopt(option, value))
    except (AttributeError, OSError, TypeError):
        return False


def allow_open_files(wanted: int) -> int:
    """Raise the bound on open files towards `wanted` as far as the system lets this process; the bound then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    return wanted if soft == resource.RLIM_INFINITY else soft


def end_with_parent(parent: int) -> bool:
    """Let the system stop this process when its `parent` dies: nobody would stop it, or see it, any more.

    Only Linux can do that. False where that one is gone already: the system will not tell then.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    return os.getppid() == parent  # asked afterwards, so that no death falls between the two
