"""`make coherence`: run the clients through every fault, judge every answer, print the table, fail on a violation."""

from __future__ import annotations

import argparse
import asyncio
import math
import sys
import tempfile
from pathlib import Path

import uvloop

from checks.coherence.changes.faults import FAULTS as CHANGES_FAULTS
from checks.coherence.changes.mutants import MUTANTS as CHANGES_MUTANTS
from checks.coherence.changes.run import main as run_changes
from checks.coherence.clients import Clients, Load, warm_up
from checks.coherence.faults import FAULTS, STRUCK
from checks.coherence.ledger import Ledger, within
from checks.coherence.mutants import MUTANTS
from checks.coherence.usage import Moment
from checks.coherence.world import World
from devstack.process import StartError

QUIET = "no fault"
LEAST_HIT_RATE = 0.5
SHOWN = 20
WARM_UP_S = 3.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m checks.coherence", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="about how long (default 60)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clients", type=int, default=36)
    parser.add_argument(
        "--rate", type=float, default=1500.0, help="operations a second without faults, when delays are measured (1500)"
    )
    parser.add_argument("--registers", type=int, help="60, with --changes 300")
    parser.add_argument("--pages", type=int, help="6, with --changes 60")
    parser.add_argument("--faults", help="names, separated by commas (default all)")
    parser.add_argument("--settles", type=float, default=2.5, help="write_settles of the nodes, s; 0 leaves it out")
    parser.add_argument(
        "--mutant", choices=sorted({*MUTANTS, *CHANGES_MUTANTS}), help="run wrong nodes until they are found out"
    )
    parser.add_argument("--changes", action="store_true", help="writes behind the nodes, to PostgreSQL")
    parser.add_argument("--bulk", type=int, default=100_000, help="rows of the large transaction of --changes (100000)")
    options = parser.parse_args()
    # Where a commit binds reads two seconds later, what is written again within them shows no mistake.
    options.registers = options.registers or (300 if options.changes else 60)
    options.pages = options.pages or (60 if options.changes else 6)
    for what, known, given in (
        ("fault", CHANGES_FAULTS if options.changes else FAULTS, (options.faults or QUIET).split(",")),
        ("mutant", CHANGES_MUTANTS if options.changes else MUTANTS, [options.mutant] if options.mutant else []),
    ):
        for name in given:
            if name not in known:
                parser.error(f"unknown {what} {name!r} here; known: {', '.join(known)}")
    return options


async def _run(options: argparse.Namespace, world: World, ledger: Ledger) -> None:
    load = Load(options.clients, options.registers, options.pages, options.seed)
    clients = Clients(world, ledger, load)
    async with asyncio.TaskGroup() as group:
        for number in range(options.clients):
            group.create_task(clients.run(number))
        clock = asyncio.get_running_loop()
        await warm_up(ledger, WARM_UP_S, until_found=options.mutant is not None)
        names = options.faults.split(",") if options.faults else list(FAULTS)
        # The quiet phase gets three shares: its figures are the ones with a bound.
        share_s = options.seconds / (len(names) + 2 * (QUIET in names))
        for name in names:
            if options.mutant and ledger.violations:
                break
            if name != QUIET and not world.relayed:
                ledger.begin("relay put between")
                await asyncio.to_thread(world.put_relay_between)
            ledger.begin(name, STRUCK.get(name))
            # A saturated machine makes everybody wait: what is measured is measured beside it.
            clients.rate = options.rate if name == QUIET else 0.0
            began, until = Moment.now(), clock.time() + share_s * (3 if name == QUIET else 1)
            while clock.time() < until and not (options.mutant and ledger.violations):
                await FAULTS[name](world, clients)
            ledger.tally.usage.add(began, Moment.now())
        clients.stopped = True


def _report(ledger: Ledger) -> None:
    _say(
        "", "opera-", "", "hit", "", "viola-", "write, ms", "", "", "by node", "", "struck", "receipt", "", "cores busy"
    )
    _say(
        *("phase", "tions", "reads", "rate", "errors", "tions"),
        *("p50", "p99", "max", "p50", "p99", "max", "p50", "p99", "(checker)"),
    )
    for name, tally in ledger.tallies.items():
        rate = f"{tally.hits / max(1, tally.reads):.1%}"
        counts = (tally.operations, tally.reads, rate, tally.errors, tally.violations)
        delays = (
            *(within(tally.write_ms, share) for share in (0.5, 0.99, 1)),
            *(within(tally.node_ms, share) for share in (0.5, 0.99)),
            within(tally.struck_ms, 1),
            *(within(tally.receipt_ms, share) for share in (0.5, 0.99)),
        )
        shown = (f"{delay:.1f}" if not math.isnan(delay) else "" for delay in delays)
        _say(name, *counts, *shown, tally.usage)
    sys.stdout.write("write: at its client, less the backend's time; struck: through the node that the fault strikes\n")
    reads = sum(tally.reads for tally in ledger.tallies.values())
    seconds = sum(tally.usage.elapsed_s for tally in ledger.tallies.values())
    sys.stdout.write(f"{reads} reads judged in {seconds:.0f} s, {len(ledger.violations)} violations\n")
    for violation in ledger.violations[:SHOWN]:
        sys.stdout.write(f"{violation}\n")


def _say(first: str, *others: object) -> None:
    sys.stdout.write(f"{first:<21}" + "".join(f"{other!s:>8}" for other in others[:-1]) + f"  {others[-1]}\n")


def _verdict(ledger: Ledger) -> str | None:
    """Why the run fails; None when it passes."""
    if ledger.violations:
        return "the cache lied"
    quiet = ledger.tallies.get(QUIET)
    if quiet is not None and quiet.hits < LEAST_HIT_RATE * quiet.reads:
        return f"under {LEAST_HIT_RATE:.0%} of the reads without faults were hits: the test means nothing"
    if any(tally.reads == 0 for tally in ledger.tallies.values()):
        return "a phase without reads"
    return None


def main() -> int:
    """Run; the exit status is 0 only without violations and with enough hits."""
    options = _arguments()
    if options.changes:
        return run_changes(options)
    ledger = Ledger(options.registers)
    with tempfile.TemporaryDirectory(prefix="veneer-coherence-") as directory:
        world = World(Path(directory), options.registers, options.pages, options.mutant, options.settles)
        try:
            world.start()
            uvloop.run(_run(options, world, ledger))
        except StartError as error:
            sys.stderr.write(f"{error}\n")
            return 2
        finally:
            world.stop()
    _report(ledger)
    why = _verdict(ledger)
    sys.stdout.write("coherent\n" if why is None else f"FAILED: {why}\n")
    return 0 if why is None else 1


if __name__ == "__main__":
    sys.exit(main())
