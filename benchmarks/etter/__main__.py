"""Measure the Etter workload three times: as found, as it is, behind the proxy.

    python -m benchmarks.etter [--size load10] [--users 1000] [--seconds 40]

The data set is loaded once and kept under .veneer/bench; each phase runs on a fresh copy of it.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import cast

from benchmarks.etter.figures import Figures, by_route, figures
from benchmarks.etter.load import Plan
from benchmarks.etter.phases import PHASES, Ground
from benchmarks.etter.report import QUIET_LIMIT_MS, Results, targets, write
from benchmarks.etter.warm import LOGGED
from devstack.postgres import PostgresServer
from devstack.process import ROOT
from devstack.redis import find_redis_binary
from etter.seed.sizes import SIZES, SizeName

STATE = ROOT / ".veneer" / "bench"


def main() -> int:
    """Run the benchmark; return 0 when every target is met."""
    options = _options()
    size = cast("SizeName", options.size)
    plan = Plan(options.users, options.warm_up, options.seconds, options.think, options.timeout)
    with_redis = options.redis and find_redis_binary() is not None
    chosen = [phase for number, phase in enumerate(PHASES, start=1) if str(number) in options.phases.split(",")]
    phases, tries, routes = [], [], {}
    with ExitStack() as stack:
        postgres = PostgresServer(STATE / f"postgres-{size}", durable=True)
        postgres.start()
        stack.callback(postgres.stop)
        ground = Ground(postgres, size, STATE, with_redis, options.fill)
        ground.prepare()
        quiet = ground.quiet()
        for read in quiet:
            _say(f"{read.name}: P50 {read.p50_ms} ms, P95 {read.p95_ms} ms")
        if not chosen:
            return 0 if all(read.p95_ms < QUIET_LIMIT_MS for read in quiet) else 1
        for phase in chosen:
            found: list[Figures] = []
            by_users = {}
            for own, measured in ground.run(phase, plan):
                found.append(figures(phase.name, own.users, measured, own.seconds))
                by_users[own.users] = by_route(measured.samples)
                one = found[-1]
                _say(f"{phase.name}, {own.users} users: {one.per_second:.0f}/s, average {one.average_ms:.0f} ms")
            tries += found
            # Compared is the number of users with which it serves the most.
            best = max(found, key=lambda one: one.per_second)
            phases.append(best)
            routes[phase.name] = by_users[best.users]
    conditions = _conditions(size, plan, with_redis=with_redis)
    results = Results(conditions=conditions, phases=phases, tries=tries, routes=routes, quiet=quiet)
    path = write(results, options.results)
    _say(path.read_text(encoding="utf-8").split("## Routes")[0])
    return 0 if all(target.met for target in targets(results)) else 1


def _conditions(size: SizeName, plan: Plan, *, with_redis: bool) -> dict[str, str]:
    rows = SIZES[size]
    think = f"each thinks {plan.think_seconds:g} s on average between requests" if plan.think_seconds else "no pauses"
    return {
        "data": f"{size}: {rows.users:,} users, {rows.history:,} history rows, {rows.documents:,} documents",
        "load": f"{plan.users} concurrent users, {think}; 95 % reads, Zipf keys (benchmarks/etter/mix.py); "
        "as found also with fewer users, and compared where it serves the most",
        "measured": f"{plan.seconds:g} s (as found half of it) after {plan.warm_up_seconds:g} s of the same load (the "
        f"backend alone: at most 10 s); answers awaited to the end. Before that the proxy is warmed from a log of "
        f"{LOGGED:,} other requests (benchmarks/etter/warm.py)",
        "proxy": f"one process, shipped policies.yaml, {'memory and Redis' if with_redis else 'memory'} as its store",
        "machine": f"{os.cpu_count()} cores for everything: load, proxy, backend, PostgreSQL, Redis; "
        f"Python {platform.python_version()}; load average at the end {os.getloadavg()[0]:.1f}",
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.etter", description=__doc__)
    parser.add_argument("--size", choices=sorted(SIZES), default="load10")
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--warm-up", type=float, default=30.0, metavar="SECONDS")
    parser.add_argument("--fill", type=float, default=150.0, metavar="SECONDS", help="most time to warm from the log")
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--think", type=float, default=1.7, metavar="SECONDS")
    parser.add_argument("--timeout", type=float, default=30.0, metavar="SECONDS")
    parser.add_argument("--redis", action="store_true", help="let the proxy share its store through Redis")
    parser.add_argument("--phases", default="1,2,3", help="which of the three to run; 0 for reads without a load alone")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    return parser.parse_args()


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
