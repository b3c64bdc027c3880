"""The process as the system sees it: processor time, memory, descriptors. Of several processes the sum."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from prometheus_client import ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_TEXTS = {
    "process_cpu_seconds": "User and system time, of ended workers as well.",
    "process_resident_memory_bytes": "Resident memory; what processes share counts in each.",
    "process_virtual_memory_bytes": "Virtual memory.",
    "process_open_fds": "Open descriptors.",
    "process_max_fds": "Descriptors that may be open.",
    "process_start_time_seconds": "When the first process started (Unix).",
}


def no_workers() -> Iterable[int]:
    """Of a process that has none."""
    return ()


class ProcessFamilies(Collector):
    """This process, with the `workers` whose parent it is, by their process IDs. Read on a scrape alone.

    The sum is of those that live and, for the processor time, of those that have ended: it never goes back.
    """

    def __init__(self, workers: Callable[[], Iterable[int]] = no_workers) -> None:
        self._workers = workers
        self._cpu_s = 0.0

    def collect(self) -> Iterator[Metric]:
        """All of them; nothing where the system has no /proc."""
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        sums: dict[str, float] = {}
        processes: list[str | int] = ["self", *self._workers()]
        for process in processes:
            for name, value in _values(process):
                known = sums.get(name)
                if name == "process_start_time_seconds":
                    sums[name] = value if known is None else min(known, value)
                else:
                    sums[name] = value + (known or 0.0)
        if "process_cpu_seconds" in sums:
            # A worker that ends while this is read may be missed once.
            self._cpu_s = max(self._cpu_s, sums["process_cpu_seconds"] + ended.ru_utime + ended.ru_stime)
            sums["process_cpu_seconds"] = self._cpu_s
        for name, value in sums.items():
            family = CounterMetricFamily if name == "process_cpu_seconds" else GaugeMetricFamily
            yield family(name, _TEXTS[name], value=value)


def _values(process: str | int) -> Iterator[tuple[str, float]]:
    with suppress(ValueError):  # "unlimited" descriptors
        for metric in ProcessCollector(pid=lambda: process, registry=None).collect():
            if metric.name in _TEXTS:
                yield from ((metric.name, sample.value) for sample in metric.samples)
