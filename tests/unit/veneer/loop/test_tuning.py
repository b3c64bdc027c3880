"""What the process asks of its run time."""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import sys

import pytest

from veneer.loop.tuning import GC_YOUNG_OBJECTS, allow_open_files, calm_collector, steady_heap
from veneer.main.node import connections_within


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_collector_is_called_less_often_and_sees_less() -> None:
    # It collects first, and what other tests have left lying about is theirs to answer for.
    before, seen = gc.get_threshold(), gc.get_freeze_count()
    kept: list[list[int]] = [[] for _ in range(1_000)]
    try:
        calm_collector()
        assert gc.get_threshold()[0] == GC_YOUNG_OBJECTS
        assert gc.get_freeze_count() >= seen + len(kept)
    finally:
        gc.set_threshold(*before)


def test_the_heap_can_be_told_or_says_that_it_cannot() -> None:
    told = steady_heap()
    assert told or sys.platform != "linux" or "musl" in sys.implementation._multiarch


@pytest.mark.parametrize(
    ("files", "pooled", "streams", "clients"),
    [
        (50_000, 256, 1024, 20_000),
        (10_000, 256, 1024, 8_720),
        (10_000, 256, 0, 9_744),
        (832, 4 * 256, 4 * 1024, 416),  # ulimit -n 1024, and four upstreams
        (300, 256, 1024, 150),
        (-40, 256, 1024, 1),
    ],
)
def test_few_open_files_are_shared(files: int, pooled: int, streams: int, clients: int) -> None:
    assert connections_within(files, 20_000, pooled, streams) == clients


def test_the_bound_on_open_files_is_raised_and_never_lowered() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert allow_open_files(1) == soft
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (soft, hard)
    wanted = soft + 1 if hard == resource.RLIM_INFINITY or hard > soft else soft
    assert allow_open_files(wanted) == wanted
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("lives", [True, False])
def test_a_process_sees_that_its_parent_was_gone_before_it_could_ask_to_be_told(lives: bool) -> None:
    # in a process of its own: the tests' would be ended with its parent from now on
    named = os.getpid() if lives else 0
    asked = f"from veneer.loop.tuning import end_with_parent; raise SystemExit(not end_with_parent({named}))"
    assert (subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0) is lives
