"""Cores, processor time, memory and open files: what the machine gives and what processes take of it."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

FILES_WANTED = 65_536
SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Cores:
    """The core of the server under test, and the one of everything else: load generator, origin, Redis."""

    server: int
    load: int

    @classmethod
    def choose(cls) -> Cores:
        """The last two cores this process may use; the same one twice where there is one only."""
        usable = sorted(os.sched_getaffinity(0))
        return cls(server=usable[-1], load=usable[-2] if len(usable) > 1 else usable[-1])


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Processes started within stay on that core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def raise_open_files() -> int:
    """Allow as many open files as possible, for this process and its children; returns how many."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for most in (max(FILES_WANTED, hard), hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        except (ValueError, OSError):
            continue
        return most
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def family(pid: int) -> list[psutil.Process]:
    """A process and all its children."""
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def processor_seconds(pids: Sequence[int]) -> float:
    """User and system time of the processes and their children."""
    times = [process.cpu_times() for pid in pids for process in family(pid)]
    return sum(one.user + one.system for one in times)


def resident_bytes(pids: Sequence[int]) -> int:
    """Memory of the processes and their children that is not shared with others."""
    return sum(process.memory_full_info().uss for pid in pids for process in family(pid))


def counts_instructions() -> bool:
    """Whether `perf stat` can count instructions here."""
    if shutil.which("perf") is None:
        return False
    told = subprocess.run(
        ["perf", "stat", "-x", ",", "-e", "instructions", "true"], capture_output=True, text=True, check=False
    )
    return told.returncode == 0 and told.stderr.partition(",")[0].strip().isdigit()


@contextmanager
def counted_instructions(pids: Sequence[int], *, supported: bool) -> Iterator[list[int]]:
    """Count what the processes execute within the block; the list holds the number afterwards, or stays empty."""
    found: list[int] = []
    if not supported:
        yield found
        return
    every = ",".join(str(process.pid) for pid in pids for process in family(pid))
    perf = subprocess.Popen(
        ["perf", "stat", "-x", ",", "-e", "instructions", "-p", every], stderr=subprocess.PIPE, text=True
    )
    try:
        yield found
    finally:
        perf.send_signal(2)
        number = perf.communicate()[1].partition(",")[0].strip()
        if number.isdigit():
            found.append(int(number))


def fast_directory(name: str, fallback: Path) -> Path:
    """A directory in memory where there is one, so that no disk takes part."""
    directory = SHARED_MEMORY / f"{name}-{os.getpid()}" if os.access(SHARED_MEMORY, os.W_OK) else fallback
    directory.mkdir(parents=True, exist_ok=True)
    return directory
