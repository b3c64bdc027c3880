"""How busy the machine is, for what delays mean depends on it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Moment:
    """Processor seconds used until now, by everything on the machine and by this process."""

    at_s: float
    machine_s: float
    own_s: float

    @classmethod
    def now(cls) -> Moment:
        """Read the counters."""
        used = psutil.cpu_times()
        idle = used.idle + getattr(used, "iowait", 0.0)
        # Linux counts guests' time in user and nice already.
        guests = getattr(used, "guest", 0.0) + getattr(used, "guest_nice", 0.0)
        return cls(time.perf_counter(), sum(used) - idle - guests, time.process_time())


@dataclass(slots=True)
class Usage:
    """Seconds, and the processor seconds used in them."""

    elapsed_s: float = 0.0
    machine_s: float = 0.0
    own_s: float = 0.0

    def add(self, since: Moment, until: Moment) -> None:
        """Count what lies between two moments."""
        self.elapsed_s += until.at_s - since.at_s
        self.machine_s += until.machine_s - since.machine_s
        self.own_s += until.own_s - since.own_s

    def __str__(self) -> str:
        """Busy cores of those there are, and this process' own share of them."""
        if not self.elapsed_s:
            return "-"
        return f"{self.machine_s / self.elapsed_s:.2f}/{os.cpu_count()} ({self.own_s / self.elapsed_s:.2f})"
