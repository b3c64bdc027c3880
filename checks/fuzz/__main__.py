"""`make fuzz-etter`: ask a backend on the tiny data generated questions for a while; fail on the first wrong answer."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from checks.fuzz.api import operations, try_out
from devstack.backend import BackendServer, preparation, run_step
from devstack.callers import bearer, development_settings
from devstack.postgres import PostgresServer

EXAMPLES = 25


def main() -> int:
    """Run for the given time, as a member and as the platform in turns; return 0 when every answer was right."""
    parser = argparse.ArgumentParser(prog="python -m checks.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="about how long (default 600)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="veneer-fuzz-")))
        backend = _start(stack, directory)
        sent = _fuzz(backend, options.seconds, options.seed)
        crashes = backend.process.log_text().count("Traceback")
    sys.stdout.write(f"{sent} requests, {crashes} tracebacks in the log\n")
    return 1 if crashes else 0


def _start(stack: ExitStack, directory: Path) -> BackendServer:
    postgres = PostgresServer(directory / "postgres")
    stack.callback(postgres.stop)
    postgres.start()
    url = postgres.ensure_database("etter")
    for step in preparation(url, "tiny"):
        run_step(step, directory)
    backend = BackendServer(url, directory)
    stack.callback(backend.stop)
    backend.start()
    return backend


def _fuzz(backend: BackendServer, seconds: float, seed: int) -> int:
    settings = development_settings()
    callers = (bearer(settings, hours=24), bearer(settings, 1, 1, "platform", hours=24))
    declared = operations(backend.url)
    until = time.perf_counter() + seconds
    sent = round_ = 0
    while time.perf_counter() < until:
        for operation in declared:
            sent += try_out(operation, callers[round_ % 2], EXAMPLES, seed + round_)
        round_ += 1
        sys.stdout.write(f"round {round_}: {sent} requests\n")
        sys.stdout.flush()
    return sent


if __name__ == "__main__":
    sys.exit(main())
