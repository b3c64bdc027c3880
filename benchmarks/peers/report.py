"""The results as Markdown and JSON."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from benchmarks.peers.bars import judged
from benchmarks.peers.growth import FEWEST, Step
from benchmarks.peers.results import Results, Spread, cost_ratio, speed_ratio
from benchmarks.peers.run import Line, Outcome
from benchmarks.peers.wrk import Window
from benchmarks.targets import target_table

HEAD = """# Veneer beside its peers

Made by `make bench`; all figures are of one run. How to read them: [benchmarks/README.md](../README.md).
"""
GENERATOR_FULL = 0.95
ON = (
    "Veneer: one worker; JSON line for each request, metrics, request ID, rate limit, compression, Cache-Status",
    "nginx: one worker; proxy_cache on tmpfs, sendfile; buffered JSON log, request ID, limit_req, gzip stored once",
    "nginx, cache only, and nginx pass-through: nothing else, not even a log; the same worker on other ports",
    "Varnish: malloc, default threads, its log in shared memory, request ID; no rate limit",
    "FastAPI: answers by itself, no backend; fastapi-cache2 in memory, slowapi, GZip; no access log, no request ID",
)


def write(results: Results, directory: Path) -> Path:
    """Write peers.md, peers.json and peers.png; returns the Markdown's path."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "peers.json").write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
    from benchmarks.peers.plot import draw  # noqa: PLC0415 - matplotlib takes a second to import

    draw(results, directory / "peers.png")
    path = directory / "peers.md"
    path.write_text(markdown(results), encoding="utf-8")
    return path


def markdown(results: Results) -> str:
    """Write the tables."""
    lines = [HEAD, *(f"- {name}: {value}" for name, value in results.conditions.items())]
    lines += [f"- on: {text}" for text in ON]
    lines += [f"- not measured: {text}" for text in (*results.missing, *results.failed)]
    lines += ["", "![ratios](peers.png)", "", "## Bars", "", *target_table(judged(results)), "", "## Cases", ""]
    for outcome in results.outcomes:
        lines += _outcome(outcome)
    lines += _latency(results) + _idle(results) + _growth(results)
    return "\n".join(lines).rstrip() + "\n"


def _outcome(outcome: Outcome) -> list[str]:
    title = f"### {outcome.title}"
    lines = [f"{title} ({outcome.connections} connections)" if " connection" not in outcome.title else title, ""]
    lines += [f"Left out: {text}." for text in outcome.left_out]
    if not outcome.lines:
        return [*lines, ""]
    lines += [
        "| contender | requests/s | first : this | us/request | this : first | p50 ms | p99 ms | server busy |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    return [*lines, *(_line(line, outcome.lines[0]) for line in outcome.lines), ""]


def _line(line: Line, first: Line) -> str:
    rate, cpu = _spread(line.windows, lambda one: one.per_second), _spread(line.windows, lambda one: one.cpu_us)
    speed, cost = speed_ratio(first.windows, line.windows), cost_ratio(first.windows, line.windows)
    p50, p99 = (statistics.median(read) for read in zip(*((w.p50_ms, w.p99_ms) for w in line.windows), strict=True))
    busy = f"{statistics.median(window.server_busy for window in line.windows):.0%}"
    if statistics.median(window.load_busy for window in line.windows) > GENERATOR_FULL:
        busy += " (generator full)"
    instructions = [window.instructions for window in line.windows if window.instructions]
    counted = f", {statistics.median(instructions) / 1000:.1f} k instr." if instructions else ""
    return (
        f"| {line.label} | {rate.median:,.0f} ({rate.least:,.0f} to {rate.most:,.0f}) | {_ratio(speed)} |"
        f" {cpu.median:.1f} ({cpu.least:.1f} to {cpu.most:.1f}){counted} | {_ratio(cost)} |"
        f" {p50:.2f} | {p99:.2f} | {busy} |"
    )


def _spread(windows: Sequence[Window], read: Callable[[Window], float]) -> Spread:
    return Spread.of([read(window) for window in windows])


def _ratio(spread: Spread) -> str:
    return f"{spread.median:.2f} ({spread.least:.2f} to {spread.most:.2f})"


def _latency(results: Results) -> list[str]:
    found = results.latency
    if found is None:
        return []
    lines = [f"### Hits at {found.rate:,.0f} requests/s, half of nginx's full load", ""]
    lines += ["| contender | p50 us | p99 us | generator late by, p99 us |", "|---|---:|---:|---:|"]
    for label, rounds in found.rounds.items():
        p50, p99, late = (
            Spread.of(values)
            for values in zip(*((one.p50_us, one.p99_us, one.late_p99_us) for one in rounds), strict=True)
        )
        lines.append(
            f"| {label} | {p50.median:.0f} | {p99.median:.0f} ({p99.least:.0f} to {p99.most:.0f}) | {late.median:.0f} |"
        )
    return [*lines, ""]


def _idle(results: Results) -> list[str]:
    if not results.idle:
        return []
    lines = ["### Idle connections", ""]
    lines += ["| contender | idle | KB each | hits/s without | hits/s beside them | us/request without | beside |"]
    lines.append("|---|---:|---:|---:|---:|---:|---:|")
    for one in results.idle:
        rates = [statistics.median(w.per_second for w in windows) for windows in (one.alone, one.beside)]
        costs = [statistics.median(w.cpu_us for w in windows) for windows in (one.alone, one.beside)]
        lines.append(
            f"| {one.label} | {one.connections:,} | {one.bytes_each / 1024:.2f} | {rates[0]:,.0f} | {rates[1]:,.0f} |"
            f" {costs[0]:.1f} | {costs[1]:.1f} |"
        )
    return [*lines, ""]


def _growth(results: Results) -> list[str]:
    if results.growth is None:
        return []
    growth, lines = results.growth, ["### Growth (Veneer against itself)", ""]
    for name, steps in (("entries", growth.entries), ("routes", growth.routes), ("tags on each entry", growth.tags)):
        lines += [f"| {name} | asked | hits/s | us/request | bytes beyond the body |", "|---:|---|---:|---:|---:|"]
        lines += [row for step in steps for row in _step(step)]
        lines.append("")
    lines += [f"| entries | asked | this : {FEWEST:,} entries, by speed | by processor time |", "|---:|---|---:|---:|"]
    return [*lines, *(row for step in growth.entries for row in _step_beside(step)), ""]


def _step(step: Step) -> list[str]:
    beyond = "" if step.beyond_bytes is None else f"{step.beyond_bytes:,.0f}"
    return [
        f"| {step.size:,} | {asked} | {step.per_second(asked):,.0f} | {step.cpu_us(asked):.1f} | {beyond} |"
        for asked in step.hits
    ]


def _step_beside(step: Step) -> list[str]:
    """Against the server with few entries that was asked in turn."""
    rows = []
    for asked, few in step.beside.items():
        many = step.hits[asked]
        speed, cost = _ratio(speed_ratio(many, few)), _ratio(cost_ratio(many, few))
        rows.append(f"| {step.size:,} | {asked} | {speed} | {cost} |")
    return rows
