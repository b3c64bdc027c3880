"""docs/operations.md names every metric and every member of a log line, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from veneer.observe.counters import Counts, Snapshot
from veneer.observe.gauges import Gauges
from veneer.observe.metrics import Metrics
from veneer.pipeline.exchange import CacheResult, ExchangeRecord, Refusal

PAGE = (Path(__file__).parents[4] / "docs" / "operations.md").read_text("utf-8")
PROCESS = {
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_virtual_memory_bytes",
}


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_metrics() -> None:
    text, _ = Metrics(lambda: Snapshot(Counts(), Gauges())).render("")
    made = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in text_string_to_metric_families(text.decode())
    }
    rows = re.findall(r"^\| (`[^|]+) \|", section("Metrics"), re.MULTILINE)
    told = set(re.findall(r"`(\w+)`", " ".join(rows))) - PROCESS
    assert sorted(made - told) == [], "each has a row in the table under Metrics in docs/operations.md"
    assert sorted(told - made) == [], "docs/operations.md has a row for what nobody can scrape"


def test_words_of_labels() -> None:
    for word in (*CacheResult, *Refusal):
        assert f"`{word.value}`" in section("Metrics"), "docs/operations.md says, under Metrics, what it means"


def members(rows: str) -> set[str]:
    """What stands in the first column."""
    return set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`[^|]+) \|", rows, re.MULTILINE))))


def test_members_of_a_log_line_and_what_they_are_called_elsewhere() -> None:
    written, renamed = section("Logs").split("Elastic Common Schema")
    assert members(written) == {*ExchangeRecord.__struct_fields__, "sample_rate"}  # which says something of the line
    assert members(renamed) - members(written) == {"level", "message", "logger", "node"}
    assert members(renamed) > {"status", "duration_ms", "trace_id"}
