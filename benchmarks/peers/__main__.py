"""Measure Veneer beside nginx, Varnish and FastAPI on this machine.

python -m benchmarks.peers [--cases hit,304,growth] [--rounds 5] [--seconds 2] [--quick]
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.peers.builds import EARLIER, provide_build, why_not
from benchmarks.peers.cases import NGINX
from benchmarks.peers.field import Field, Setting
from benchmarks.peers.growth import Growth, measure_growth
from benchmarks.peers.idle import Idle, measure_idle
from benchmarks.peers.latency import Latency, measure_latency
from benchmarks.peers.lineup import every_case
from benchmarks.peers.machine import Cores, counts_instructions, fast_directory, on_core, raise_open_files
from benchmarks.peers.report import write
from benchmarks.peers.results import Results
from benchmarks.peers.run import Outcome, measure
from benchmarks.peers.tools import find, provide
from benchmarks.peers.wire import LoadError
from devstack.process import ROOT, StartError

HALF_LOAD, IDLE, GROWTH = "half-load", "idle", "growth"
EXTRA = (HALF_LOAD, IDLE, GROWTH)


def main() -> int:
    """Run the comparison; returns 0 when everything that was asked for was measured."""
    options = _options()
    missing = provide(install=not (options.quick or options.no_install))
    if any(name.startswith("shipped") for name in options.cases):
        if not (options.quick or options.no_install):
            provide_build(EARLIER, _say)
        if why := why_not(EARLIER):
            missing.append(why)
    for line in missing:
        _say(line)
    if find("wrk") is None:
        _say("without wrk there is nothing to measure with")
        return 1
    directory = fast_directory("veneer-bench", ROOT / ".veneer" / "bench" / "run")
    setting = Setting(
        directory, Cores.choose(), options.rounds, options.seconds, raise_open_files(), counts_instructions()
    )
    gc.freeze()
    try:
        with Field(setting) as field, on_core(setting.cores.load):
            results = _measure(field, options, missing)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    path = write(results, options.results)
    _say(path.read_text(encoding="utf-8").split("## Cases")[0])
    return 1 if results.failed else 0


def _measure(field: Field, options: argparse.Namespace, missing: list[str]) -> Results:
    outcomes: list[Outcome] = []
    failed: list[str] = []
    latency: Latency | None = None
    idle: list[Idle] | None = None
    growth: Growth | None = None
    for name in options.cases:
        try:
            if name == HALF_LOAD:
                latency = measure_latency(field, _full_load(outcomes), _say)
            elif name == IDLE:
                idle = measure_idle(field, options.idle, _say)
            elif name == GROWTH:
                growth = measure_growth(field, options.entries, _say)
            else:
                outcomes.append(measure(every_case()[name], field, _say))
        except (LoadError, StartError, OSError) as error:
            failed.append(f"{name}: {error}")
            _say(f"{name} failed: {error}")
    return Results(
        conditions=_conditions(field.setting, missing),
        missing=missing,
        failed=failed,
        outcomes=outcomes,
        latency=latency,
        idle=idle,
        growth=growth,
    )


def _full_load(outcomes: list[Outcome]) -> float | None:
    """What nginx does at most, from the case with the same requests."""
    lines = [line for outcome in outcomes if outcome.key == "hit" for line in outcome.lines if line.label == NGINX]
    return statistics.median(window.per_second for window in lines[0].windows) if lines else None


def _conditions(setting: Setting, missing: list[str]) -> dict[str, str]:
    cores = setting.cores
    place = (
        "server and load share one core" if cores.server == cores.load else "server on one, load and origin on another"
    )
    found = {
        "machine": f"{os.cpu_count()} cores, {place}; {platform.system()} {platform.release()}, Python "
        f"{platform.python_version()}; load average at the end {os.getloadavg()[0]:.1f}",
        "rounds": f"{setting.rounds} of {setting.seconds} s for each contender in turn; medians, least to most",
        "instructions": "counted" if setting.count_instructions else "not counted: perf has no counters here",
    }
    versions = [("veneer", [sys.executable, "-m", "veneer", "--version"])]
    versions += [(name, [path, flag]) for name, flag in (("nginx", "-v"), ("varnishd", "-V")) if (path := find(name))]
    for program, argv in versions:
        told = subprocess.run(argv, capture_output=True, text=True, check=False)
        found[program] = (told.stderr or told.stdout).splitlines()[0]
    if missing:
        found["incomplete"] = f"{len(missing)} contenders or tools are missing"
    return found


def _options() -> argparse.Namespace:
    names = (*every_case(), *EXTRA)
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--cases", default=",".join(names), help=f"of {', '.join(names)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="of each contender in each round")
    parser.add_argument("--entries", type=int, default=1_000_000, help="the most entries of the case growth")
    parser.add_argument("--idle", type=int, default=10_000, help="connections of the case idle")
    parser.add_argument("--quick", action="store_true", help="one short round of each, little growth: a smoke test")
    parser.add_argument("--no-install", action="store_true", help="install nothing that is missing")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    options = parser.parse_args()
    options.cases = options.cases.split(",")
    if unknown := set(options.cases) - set(names):
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    if options.quick:
        options.rounds, options.seconds = 1, 1
        options.entries, options.idle = min(options.entries, 1_000), min(options.idle, 100)
    return options


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
