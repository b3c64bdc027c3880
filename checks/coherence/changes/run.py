"""`make coherence ARGS=--changes`: commits behind the nodes, every fault in turn, the table and the verdict."""

from __future__ import annotations

import argparse
import asyncio
import math
import sys
import tempfile
from pathlib import Path

import uvloop

from checks.coherence.changes.clients import Crowd
from checks.coherence.changes.faults import FAULTS, UNWRITTEN
from checks.coherence.changes.ledger import CommitLedger
from checks.coherence.changes.world import MAX_LAG_S, SLEEPERS, ChangesWorld
from checks.coherence.clients import Load, warm_up
from checks.coherence.ledger import within
from checks.coherence.usage import Moment
from devstack.process import StartError

QUIET = "no fault"
LEAST_HIT_RATE = 0.5
SHOWN = 20
BEFORE_S = 4.0


async def _run(options: argparse.Namespace, world: ChangesWorld, ledger: CommitLedger) -> Crowd:
    load = Load(options.clients, options.registers, options.pages, options.seed)
    crowd = Crowd(world, ledger, load, options.rate)
    names = options.faults.split(",") if options.faults else list(FAULTS)
    crowd.writes_through = names[0] not in UNWRITTEN
    async with asyncio.TaskGroup() as group:
        for number in range(options.clients):
            group.create_task(crowd.run(number))
        group.create_task(crowd.probe_lag())
        clock = asyncio.get_running_loop()
        await warm_up(ledger, BEFORE_S, until_found=options.mutant is not None)
        share_s = options.seconds / (len(names) + 2 * (QUIET in names))
        for name in names:
            if options.mutant and ledger.violations:
                break
            ledger.begin(name)
            crowd.writes_through = name not in UNWRITTEN
            began, until_s = Moment.now(), clock.time() + share_s * (3 if name == QUIET else 1)
            hot_before = (ledger.hot_reads, ledger.hot_hits)
            while clock.time() < until_s and not (options.mutant and ledger.violations):
                await crowd.read_sleepers()
                await asyncio.gather(FAULTS[name](world, crowd), crowd.write_sleepers())
            await crowd.read_sleepers()
            ledger.tally.usage.add(began, Moment.now())
            crowd.hot[name] = (ledger.hot_reads - hot_before[0], ledger.hot_hits - hot_before[1])
        crowd.stopped = True
    crowd.database.close()
    return crowd


def _report(ledger: CommitLedger, crowd: Crowd) -> None:
    _say("phase", ("opera-", "reads", "hit", "hot", "errors", "viola-", "lag, ms", "", "", "cores busy"))
    _say("", ("tions", "", "rate", "hits", "", "tions", "p50", "p99", "max", "(checker)"))
    for name, tally in ledger.tallies.items():
        hot_reads, hot_hits = crowd.hot.get(name, (0, 0))
        lags = crowd.lags.by_phase.get(name, [])
        delays = [within(lags, share) for share in (0.5, 0.99, 1)]
        _say(
            name,
            (
                *(tally.operations, tally.reads, f"{tally.hits / max(1, tally.reads):.1%}"),
                f"{hot_hits / max(1, hot_reads):.1%}",
                *(tally.errors, tally.violations),
                *("" if math.isnan(delay) else f"{delay:.1f}" for delay in delays),
                tally.usage,
            ),
        )
    sys.stdout.write(
        "lag: from the end of a commit to the first read through the node that does not follow it that shows it\n"
    )
    for began_mb, most_mb in crowd.bulk_mb:
        sys.stdout.write(f"large transaction: the reader held {began_mb:.0f} MB before it, at most {most_mb:.0f} MB\n")
    reads = sum(tally.reads for tally in ledger.tallies.values())
    seconds = sum(tally.usage.elapsed_s for tally in ledger.tallies.values())
    sys.stdout.write(
        f"{reads} reads judged in {seconds:.0f} s, {ledger.commits} commits, {len(ledger.violations)} violations\n"
    )
    for violation in ledger.violations[:SHOWN]:
        sys.stdout.write(f"{violation}\n")


def _say(first: str, others: tuple[object, ...]) -> None:
    sys.stdout.write(f"{first:<21}" + "".join(f"{other!s:>8}" for other in others[:-1]) + f"  {others[-1]}\n")


def _verdict(ledger: CommitLedger) -> str | None:
    """Why the run fails; None when it passes."""
    if ledger.violations:
        return f"a read was older than a commit {MAX_LAG_S:g} s before it"
    quiet = ledger.tallies.get(QUIET)
    if quiet is not None and quiet.hits < LEAST_HIT_RATE * quiet.reads:
        return f"under {LEAST_HIT_RATE:.0%} of the reads without faults were hits: the test means nothing"
    if any(tally.reads == 0 for tally in ledger.tallies.values()):
        return "a phase without reads"
    return None


def main(options: argparse.Namespace) -> int:
    """Run; the exit status is 0 only without violations and with enough hits."""
    ledger = CommitLedger(options.registers + 1 + SLEEPERS, MAX_LAG_S)
    with tempfile.TemporaryDirectory(prefix="veneer-changes-") as directory:
        world = ChangesWorld(Path(directory), options.registers, options.pages, options.bulk, options.mutant)
        try:
            world.start()
            crowd = uvloop.run(_run(options, world, ledger))
        except StartError as error:
            sys.stderr.write(f"{error}\n")
            return 2
        finally:
            world.stop()
    _report(ledger, crowd)
    why = _verdict(ledger)
    sys.stdout.write("coherent\n" if why is None else f"FAILED: {why}\n")
    return 0 if why is None else 1
