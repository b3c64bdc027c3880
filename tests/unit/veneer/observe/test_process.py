from __future__ import annotations

import subprocess
import sys

from prometheus_client.registry import Collector

from veneer.observe.process import ProcessFamilies

BURN = "import sys; x = sum(range(20_000_000)); print('burnt', flush=True); sys.stdin.read()"


def values(collector: Collector) -> dict[str, float]:
    return {sample.name: sample.value for metric in collector.collect() for sample in metric.samples}


def test_this_process() -> None:
    found = values(ProcessFamilies())
    assert found["process_cpu_seconds_total"] > 0
    assert found["process_resident_memory_bytes"] > 1_000_000
    assert 0 < found["process_open_fds"] <= found["process_max_fds"]
    assert found["process_start_time_seconds"] > 0


def test_workers_are_added_and_what_an_ended_one_used_stays() -> None:
    alone = values(ProcessFamilies())
    with subprocess.Popen([sys.executable, "-c", BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        living = [child.pid]
        families = ProcessFamilies(lambda: living)
        both = values(families)
        assert both["process_resident_memory_bytes"] > alone["process_resident_memory_bytes"] + 5_000_000
        assert both["process_cpu_seconds_total"] > alone["process_cpu_seconds_total"] + 0.05
        assert both["process_start_time_seconds"] == alone["process_start_time_seconds"], "that of the first"
        child.communicate()
    gone = values(families)
    assert gone["process_cpu_seconds_total"] >= both["process_cpu_seconds_total"]
    living.clear()
    assert values(families)["process_cpu_seconds_total"] >= both["process_cpu_seconds_total"]
    assert values(families)["process_resident_memory_bytes"] < both["process_resident_memory_bytes"]
