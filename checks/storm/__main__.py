"""`make storm`: faults in turn on real processes; what clients get meanwhile, and whether it is right."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path

import uvloop

from checks.storm.backend import Mode
from checks.storm.cases import leaving, nodes, overload, redis_faults, restarts, targets, trouble
from checks.storm.cases.redis_faults import Writes
from checks.storm.stage import Stage
from devstack.process import StartError

CASES: dict[str, Callable[[Stage], Awaitable[None]]] = {
    "10x, ten at 200 ms": partial(overload.ten_times, places=10, takes_s=0.2),
    "10x, one at 20 ms": partial(overload.ten_times, places=1, takes_s=0.02),
    "slow route": overload.slow_route,
    "hot page": overload.hot_page,
    "backend restarted": partial(restarts.restarts, graceful=True),
    "backend killed": partial(restarts.restarts, graceful=False),
    "backend flaps": partial(trouble.beside, trouble=trouble.flapping),
    "backend hangs": partial(trouble.beside, trouble=trouble.mode(Mode.HANGING)),
    "backend stands still": partial(trouble.beside, trouble=trouble.stopped),
    "backend gone": partial(trouble.beside, trouble=trouble.gone),
    "backend swallowed": partial(trouble.beyond, trouble=trouble.swallowed),
    "backend half-open": partial(trouble.beyond, trouble=trouble.forgotten),
    "backend drips": partial(trouble.beside, trouble=trouble.mode(Mode.DRIPPING), whole_answers=False),
    "backend breaks off": partial(trouble.beside, trouble=trouble.mode(Mode.TOO_SHORT), whole_answers=False),
    "backend says too much": partial(trouble.beside, trouble=trouble.mode(Mode.TOO_LONG)),
    "backend is busy": partial(trouble.beside, trouble=trouble.mode(Mode.UNAVAILABLE)),
    "one of three hangs": partial(targets.one_of_three, trouble=trouble.mode(Mode.HANGING)),
    "one of three stands still": partial(targets.one_of_three, trouble=trouble.stopped),
    "one of three is gone": partial(targets.one_of_three, trouble=trouble.gone),
    "one of three is busy": partial(targets.one_of_three, trouble=trouble.mode(Mode.UNAVAILABLE)),
    "redis slow": partial(
        redis_faults.meanwhile, fault=redis_faults.slow, writes=Writes(succeed=True, rounds=redis_faults.ROUNDS_SHARED)
    ),
    "redis slow for one node": partial(
        redis_faults.meanwhile,
        fault=redis_faults.slow,
        writes=Writes(succeed=True, rounds=redis_faults.ROUNDS_ALONE),
        nodes=1,
    ),
    "redis held": partial(redis_faults.meanwhile, fault=redis_faults.held),
    "redis swallowed": partial(redis_faults.meanwhile, fault=redis_faults.swallowed),
    "redis half-open": partial(redis_faults.meanwhile, fault=redis_faults.forgotten, writes=Writes(succeed=True)),
    "redis cut off": partial(redis_faults.meanwhile, fault=redis_faults.cut),
    "redis killed": partial(redis_faults.meanwhile, fault=redis_faults.killed),
    "redis full": partial(redis_faults.meanwhile, fault=redis_faults.full, writes=Writes(succeed=True)),
    "redis read-only": partial(redis_faults.meanwhile, fault=redis_faults.read_only),
    "redis fails over": redis_faults.failing_over,
    "node stopped": nodes.stop,
    "node killed": nodes.kill,
    "node rolled": nodes.roll,
    "few descriptors": nodes.few_descriptors,
    "few descriptors behind": nodes.few_descriptors_behind,
    "disk full": nodes.full_disk,
    "clients leave": leaving.leave,
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m checks.storm", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each measurement lasts (default 10)")
    parser.add_argument("--cases", default=",".join(CASES), help="names, separated by commas; parts of names will do")
    parser.add_argument("--requests", type=int, default=0, help="downloads of 'clients leave' (default: by time)")
    parser.add_argument("--coded", action="store_true", help="clients take coded answers, as python-requests does")
    parser.add_argument("--shared", action="store_true", help="two workers over Redis, also where a case has none")
    parser.add_argument("--no-peers", action="store_true", help="leave nginx and HAProxy out")
    return parser.parse_args()


def _chosen(asked: str) -> list[str]:
    parts = [part.strip() for part in asked.split(",") if part.strip()]
    unknown = [part for part in parts if not any(part in name for name in CASES)]
    if unknown:
        sys.exit(f"no case is called {unknown[0]!r}; there are: {'; '.join(CASES)}")
    return [name for name in CASES if any(part in name for part in parts)]


@asynccontextmanager
async def _shared(stage: Stage) -> AsyncIterator[None]:
    """A Redis for who has none of its own; each case has another."""
    async with stage.redis() as server:
        stage.redis_url = server.url
        try:
            yield
        finally:
            stage.redis_url = None


async def _run(stage: Stage, names: list[str], *, shared: bool) -> None:
    for name in names:
        with stage.playing(name):
            shown = len(stage.figures)
            async with _shared(stage) if shared else nullcontext():
                await CASES[name](stage)
            sys.stdout.writelines(f"{figure}\n" for figure in stage.figures[shown:])
            sys.stdout.flush()


def main() -> int:
    """Run; the exit status is 0 only where every bar is met and every answer was right."""
    options = _arguments()
    names = _chosen(options.cases)
    with tempfile.TemporaryDirectory(prefix="veneer-storm-") as directory:
        peers = not (options.no_peers or options.shared)
        stage = Stage(Path(directory), options.seconds, peers, options.requests, coded=options.coded)
        try:
            uvloop.run(_run(stage, names, shared=options.shared))
        except StartError as error:
            sys.stderr.write(f"{error}\n")
            return 2
    ledger = stage.ledger
    reads = sum(tally.reads for tally in ledger.tallies.values())
    sys.stdout.write(f"{reads} reads judged, {len(ledger.violations)} wrong\n")
    sys.stdout.writelines(f"{violation}\n" for violation in ledger.violations[:20])
    missed = [figure for figure in stage.figures if figure.missed]
    sys.stdout.write(f"{len(missed)} bars missed\n" if missed else "all bars met\n")
    return 1 if missed or ledger.violations or not reads else 0


if __name__ == "__main__":
    sys.exit(main())
