"""The results as Markdown, JSON and a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import msgspec

from benchmarks.etter.figures import Figures, RouteFigures
from benchmarks.targets import Target, target_table

mpl.use("Agg")
from matplotlib import pyplot as plt

QUIET_LIMIT_MS = 50.0


class QuietRead(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of read of the backend alone, one request after the other; milliseconds."""

    name: str
    requests: int
    p50_ms: float
    p95_ms: float
    longest_ms: float


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """All figures of one run and the conditions under which they were taken.

    `tries` has the phases with every number of users, `phases` each with the one compared.
    """

    conditions: Mapping[str, str]
    phases: Sequence[Figures]
    tries: Sequence[Figures]
    routes: Mapping[str, Sequence[RouteFigures]]
    quiet: Sequence[QuietRead] = ()


def targets(results: Results) -> list[Target]:
    """Compare the first phase (as found) and the second (alone, uncompressed) with the last (behind the proxy)."""
    found, alone, last = results.phases[0], results.phases[max(0, len(results.phases) - 2)], results.phases[-1]
    rate, speed = last.per_second / max(found.per_second, 0.01), found.average_ms / last.average_ms
    smaller = 1 - last.bytes_per_reply / alone.bytes_per_reply
    failing = f" (as found with {found.users} users, {found.server_error_share:.1%} failing)"
    return [
        Target("requests per second: 10x the backend as found", f"{rate:.1f}x{failing}", rate >= 10),
        Target("requests per second: 500 or more", f"{last.per_second:.0f}", last.per_second >= 500),
        Target("average latency: 5x lower", f"{speed:.1f}x{failing}", speed >= 5),
        Target("average latency: 200 ms or less", f"{last.average_ms:.0f} ms", last.average_ms <= 200),
        Target("P50 under 200 ms", f"{last.p50_ms:.0f} ms", last.p50_ms < 200),
        Target("P95 under 500 ms", f"{last.p95_ms:.0f} ms", last.p95_ms < 500),
        Target("P99 under 1000 ms", f"{last.p99_ms:.0f} ms", last.p99_ms < 1000),
        Target("hit rate of reads over 80 %", f"{last.hit_rate:.1%}", last.hit_rate > 0.8),
        Target("queries per backend request under 3", f"{last.queries_per_request}", last.queries_per_request < 3),
        Target("5xx under 0.1 %", f"{last.server_error_share:.3%}", last.server_error_share < 0.001),
        Target("JSON bytes 60 % smaller than from the backend alone", f"{smaller:.1%}", smaller >= 0.6),
        Target("query time P95 under 100 ms", f"<= {last.query_p95_ms:g} ms", last.query_p95_ms <= 100),
        Target("slow queries under 1 %", f"{last.slow_query_share:.3%}", last.slow_query_share < 0.01),
        *(
            Target(f"{one.name}: P95 under {QUIET_LIMIT_MS:.0f} ms", f"{one.p95_ms} ms", one.p95_ms < QUIET_LIMIT_MS)
            for one in results.quiet
        ),
    ]


def markdown(results: Results) -> str:
    """Write the tables."""
    names = [phase.name for phase in results.phases]
    lines = ["# Etter under load", "", "Made by `make bench-etter`; all figures are of one run.", ""]
    lines += [f"- {name}: {value}" for name, value in results.conditions.items()]
    lines += [
        "",
        "![latency and throughput](etter.png)",
        "",
        f"| | {' | '.join(names)} |",
        "|---|" + "---:|" * len(names),
    ]
    for text, read in _ROWS:
        lines.append(f"| {text} | {' | '.join(read(phase) for phase in results.phases)} |")
    lines += _tries(results.tries)
    lines += ["", "| reads that the proxy did not answer from its store | share of reads |", "|---|---:|"]
    lines += [f"| {reason} | {share:.1%} |" for reason, share in results.phases[-1].forwarded.items()]
    lines += _quiet(results.quiet)
    lines += ["", *target_table(targets(results))]
    for name, routes in results.routes.items():
        lines += ["", f"## Routes: {name}", "", "| route | requests | average ms | P95 ms | hits | bytes |"]
        lines.append("|---|---:|---:|---:|---:|---:|")
        lines += [
            f"| {one.route} | {one.requests} | {one.average_ms} | {one.p95_ms} | {one.hit_rate:.0%} |"
            f" {one.bytes_per_reply:.0f} |"
            for one in routes
        ]
    return "\n".join(lines) + "\n"


def _quiet(reads: Sequence[QuietRead]) -> list[str]:
    head = ["", "| the backend alone, one request after the other | requests | P50 ms | P95 ms | longest ms |"]
    rows = [f"| {one.name} | {one.requests} | {one.p50_ms} | {one.p95_ms} | {one.longest_ms} |" for one in reads]
    return [*head, "|---|---:|---:|---:|---:|", *rows] if rows else []


def _tries(tries: Sequence[Figures]) -> list[str]:
    lines = ["", "| every run | users | requests/s | average ms | P50 | P95 | P99 | failed |"]
    lines.append("|---|---:|---:|---:|---:|---:|---:|---:|")
    return lines + [
        f"| {one.name} | {one.users} | {one.per_second:.1f} | {one.average_ms:.0f} | {one.p50_ms:.0f} |"
        f" {one.p95_ms:.0f} | {one.p99_ms:.0f} | {one.server_error_share:.2%} |"
        for one in tries
    ]


_ROWS: Sequence[tuple[str, Callable[[Figures], str]]] = (
    ("users", lambda one: f"{one.users}"),
    ("requests per second", lambda one: f"{one.per_second:.0f}"),
    ("average ms", lambda one: f"{one.average_ms:.0f}"),
    ("P50 ms", lambda one: f"{one.p50_ms:.0f}"),
    ("P95 ms", lambda one: f"{one.p95_ms:.0f}"),
    ("P99 ms", lambda one: f"{one.p99_ms:.0f}"),
    ("requests", lambda one: f"{one.requests}"),
    ("5xx", lambda one: f"{one.server_errors}"),
    ("no answer", lambda one: f"{one.broken}"),
    ("4xx", lambda one: f"{one.client_errors}"),
    ("hit rate of reads", lambda one: f"{one.hit_rate:.1%}"),
    ("queries per request to the backend", lambda one: f"{one.queries_per_request}"),
    ("requests that reached the backend", lambda one: f"{one.backend_requests}"),
    ("query P95 ms, at most", lambda one: f"{one.query_p95_ms:g}"),
    (
        "processor seconds, warm-up included",
        lambda one: ", ".join(f"{name} {spent:.0f}" for name, spent in one.cpu_seconds.items()),
    ),
    ("bytes per reply", lambda one: f"{one.bytes_per_reply:.0f}"),
)


def write(results: Results, directory: Path) -> Path:
    """Write the three files and return the Markdown's path."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "etter.json").write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1))
    path = directory / "etter.md"
    path.write_text(markdown(results), encoding="utf-8")
    _draw(results, directory / "etter.png")
    return path


def _draw(results: Results, path: Path) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    names = [phase.name.replace(", ", ",\n") for phase in results.phases]
    left.bar(names, [phase.per_second for phase in results.phases], color="#4477aa")
    left.set_title("requests per second")
    positions = range(len(names))
    for offset, (label, color) in enumerate((("p50_ms", "#66ccee"), ("p95_ms", "#ccbb44"), ("p99_ms", "#ee6677"))):
        values = [getattr(phase, label) for phase in results.phases]
        right.bar([place + (offset - 1) * 0.27 for place in positions], values, 0.25, color=color, label=label[:3])
    right.set_xticks(list(positions), names)
    right.set_yscale("log")
    right.set_title("latency, ms (logarithmic)")
    right.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
