"""Measure the Etter workload three times: as found, as it is, behind the proxy.

    python -m benchmarks.etter [--size load] [--users 1000] [--seconds 40]

The data set is loaded once and kept under .veneer/bench; each phase runs on a fresh copy of it.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import platform
import sys
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import cast

import psutil

from backend.clock import utc_now
from backend.seed.sizes import SIZES, SizeName
from backend.settings import load_settings
from benchmarks.etter.figures import Figures, by_route, figures
from benchmarks.etter.load import Measured, Plan, run_load
from benchmarks.etter.mix import Mix
from benchmarks.etter.report import Results, targets, write
from tests.stack.backend import BackendServer, Step, run_step
from tests.stack.postgres import PostgresServer
from tests.stack.process import ROOT, ManagedProcess
from tests.stack.proxy import SHIPPED_POLICIES, ProxyOptions, ProxyServer
from tests.stack.redis import RedisServer, find_redis_binary

STATE = ROOT / ".veneer" / "bench"


@dataclass(frozen=True, slots=True)
class Phase:
    """One way to run the service."""

    name: str
    indexes: bool
    unoptimised: bool
    proxied: bool


PHASES = (
    Phase("as found: no indexes, lazy loading", indexes=False, unoptimised=True, proxied=False),
    Phase("the backend alone", indexes=True, unoptimised=False, proxied=False),
    Phase("behind the proxy", indexes=True, unoptimised=False, proxied=True),
)


def main() -> int:
    """Run the benchmark; return 0 when every target is met."""
    options = _options()
    size = cast("SizeName", options.size)
    plan = Plan(options.users, options.warm_up, options.seconds, options.think, options.timeout)
    chosen = [phase for number, phase in enumerate(PHASES, start=1) if str(number) in options.phases.split(",")]
    phases: list[Figures] = []
    routes = {}
    with ExitStack() as stack:
        postgres = PostgresServer(STATE / f"postgres-{size}", durable=True)
        postgres.start()
        stack.callback(postgres.stop)
        _prepare(postgres, size)
        for phase in chosen:
            _say(f"{phase.name}: {plan.users} users, {plan.warm_up_seconds:g} s + {plan.seconds:g} s")
            measured = _run(phase, postgres, size, plan, with_redis=options.redis)
            phases.append(figures(phase.name, measured, plan.seconds))
            routes[phase.name] = by_route(measured.samples)
            _say(f"  {phases[-1].per_second:.0f} requests/s, average {phases[-1].average_ms:.0f} ms")
    results = Results(conditions=_conditions(size, plan, with_redis=options.redis), phases=phases, routes=routes)
    path = write(results, options.results)
    _say(path.read_text(encoding="utf-8").split("## Routes")[0])
    return 0 if all(target.met for target in targets(results)) else 1


def _prepare(postgres: PostgresServer, size: SizeName) -> None:
    """Make the two databases that the phases copy: with the data alone, and with indexes."""
    for name, indexed in (("seeded", False), ("indexed", True)):
        url = postgres.ensure_database(f"{name}_{size}")
        run_step(Step("schema", ("backend.migrate", "--database-url", url)), STATE)
        run_step(Step("data", ("backend.seed", "--database-url", url, "--size", size)), STATE, show_output=True)
        if indexed:
            run_step(Step("indexes", ("backend.indexes", "apply", "--database-url", url)), STATE)
            run_step(Step("analyze", ("backend.indexes", "analyze", "--database-url", url)), STATE)


def _run(phase: Phase, postgres: PostgresServer, size: SizeName, plan: Plan, *, with_redis: bool) -> Measured:
    template = f"{'indexed' if phase.indexes else 'seeded'}_{size}"
    settings = load_settings({})
    with ExitStack() as stack:
        postgres.drop_database("bench")
        url = postgres.create_database("bench", template)
        stack.callback(postgres.drop_database, "bench")
        environment = {"ETTER_UNOPTIMISED": "true"} if phase.unoptimised else {}
        backend = BackendServer(url, STATE, env=environment)
        backend.process.launch.log_path.unlink(missing_ok=True)
        backend.start()
        stack.callback(backend.stop)
        watched = {"backend": backend.process, "postgres": postgres.process}
        port = backend.port
        if phase.proxied:
            proxy = _proxy(stack, backend, with_redis=with_redis)
            port, watched["proxy"] = proxy.port, proxy.process
        mix = Mix(SIZES[size], Random(1))
        people = mix.people(plan.users, settings.token_secret, utc_now(), Random(2))
        before, spent = _metrics(backend), _spent(watched)
        # A cache is measured when it is warm; the backend alone has nothing to warm but its pool.
        warm_up = plan.warm_up_seconds if phase.proxied else min(10.0, plan.warm_up_seconds)
        samples = run_load("127.0.0.1", port, mix, people, dataclasses.replace(plan, warm_up_seconds=warm_up))
        used = {name: seconds - spent[name] for name, seconds in _spent(watched).items()}
        return Measured(samples, before, _metrics(backend), used)


def _spent(watched: dict[str, ManagedProcess]) -> dict[str, float]:
    """Processor seconds of each process and its children."""
    return {name: sum(map(_seconds, _family(process.pid))) for name, process in watched.items()}


def _family(pid: int) -> list[psutil.Process]:
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system


def _proxy(stack: ExitStack, backend: BackendServer, *, with_redis: bool) -> ProxyServer:
    redis_url = None
    if with_redis and find_redis_binary() is not None:
        redis = RedisServer(STATE / "redis")
        redis.start()
        stack.callback(redis.stop)
        redis_url = redis.url
    # All users come from one address here; a limit per address would measure the limit.
    environment = {"RATE_LIMIT_REQUESTS": "1000000"}
    options = ProxyOptions(backend.url, policies=SHIPPED_POLICIES, redis_url=redis_url, env=environment)
    proxy = ProxyServer(options, STATE)
    proxy.process.launch.log_path.unlink(missing_ok=True)
    proxy.start()
    stack.callback(proxy.stop)
    return proxy


def _metrics(backend: BackendServer) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{backend.url}/metrics", timeout=60) as response:
        return str(response.read().decode())


def _conditions(size: SizeName, plan: Plan, *, with_redis: bool) -> dict[str, str]:
    rows = SIZES[size]
    think = f"each thinks {plan.think_seconds:g} s on average between requests" if plan.think_seconds else "no pauses"
    return {
        "data": f"{size}: {rows.users:,} users, {rows.history:,} history rows, {rows.documents:,} documents",
        "load": f"{plan.users} concurrent users, {think}; 95 % reads, Zipf keys (benchmarks/etter/mix.py)",
        "measured": f"{plan.seconds:g} s after a warm-up of {plan.warm_up_seconds:g} s (the backend alone: "
        "at most 10 s); answers awaited to the end",
        "proxy": f"one process, shipped policies.yaml, {'Redis' if with_redis else 'memory'} as its store",
        "machine": f"{os.cpu_count()} cores for everything: load, proxy, backend, PostgreSQL, Redis; "
        f"Python {platform.python_version()}; load average at the end {os.getloadavg()[0]:.1f}",
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.etter", description=__doc__)
    parser.add_argument("--size", choices=sorted(SIZES), default="load")
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--warm-up", type=float, default=60.0, metavar="SECONDS")
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--think", type=float, default=1.0, metavar="SECONDS")
    parser.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS")
    parser.add_argument("--redis", action="store_true", help="let the proxy share its store through Redis")
    parser.add_argument("--phases", default="1,2,3", help="which of the three to run")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    return parser.parse_args()


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
