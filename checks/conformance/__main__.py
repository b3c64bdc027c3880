"""`python -m checks.conformance`: the public HTTP cache test suite against Veneer without a policy file.

Exits with 0 when every test said what checks/conformance/expectations.yaml expects, 1 on any difference, 2 when the
tests could not run.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from checks.conformance import expectations, report
from checks.conformance.expectations import Expectation, ExpectationError
from checks.conformance.judge import Result, Verdict, own_verdict, score, verdict
from checks.conformance.runner import run_tests, run_traced
from checks.conformance.suite import CacheTest, Suite, SuiteError, load, suite_file
from checks.conformance.target import address_of, started_proxy
from devstack.process import StartError

SECOND_CHANCES = 30
"""Up to this many unexpected tests run a second time, which counts.

They wait for seconds, and a machine that is busy at the wrong moment changes what they see. More is no accident."""

CALM_PARALLEL = 5


def say(text: str) -> None:
    """A paragraph on standard output, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def parser() -> argparse.ArgumentParser:
    """The command line."""
    flags = argparse.ArgumentParser(prog="python -m checks.conformance", description=__doc__)
    flags.add_argument("names", nargs="*", metavar="NAME", help="tests or groups to run; all when there is none")
    flags.add_argument("-v", "--verbose", action="store_true", help="one test at a time, with everything on the wire")
    flags.add_argument("--list", action="store_true", help="name the groups and tests, run nothing")
    flags.add_argument("--parallel", type=int, default=25, metavar="N", help="tests at a time (25, as the suite does)")
    flags.add_argument("--workers", type=int, default=1, metavar="N", help="worker processes of the proxy (1)")
    flags.add_argument("--redis", metavar="URL", help="shared store; several workers get a private Redis without it")
    flags.add_argument("--no-start", action="store_true", help="test a proxy that runs already")
    flags.add_argument("--base", metavar="URL", help="where that proxy listens; its upstream is --origin-port")
    flags.add_argument("--origin-port", type=int, default=0, metavar="PORT", help="port of the scripted origin")
    flags.add_argument("--log", type=Path, metavar="FILE", help="keep the proxy's log there")
    flags.add_argument("--json", type=Path, metavar="FILE", help="write findings there, to compare runs")
    return flags


def main(argv: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; returns the exit status."""
    arguments = parser().parse_args(argv)
    if arguments.no_start and (arguments.base is None or not arguments.origin_port):
        parser().error("--no-start needs --base URL and the --origin-port that proxy forwards to")
    try:
        suite = load(suite_file())
        expected = expectations.load(suite)
        tests = suite.select(arguments.names)
        if arguments.list:
            say(report.listing(suite, tests, expected))
            return 0
        results = run(tests, suite, expected, arguments)
    except (SuiteError, ExpectationError, StartError, OSError, ValueError) as error:
        sys.stderr.write(f"cannot run: {error}\n")
        return 2
    if arguments.json is not None:
        arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(results)))
    return judge(suite, tests, expected, results)


def run(
    tests: Sequence[CacheTest], suite: Suite, expected: dict[str, Expectation], arguments: argparse.Namespace
) -> dict[str, Result]:
    """Start what has to be started, and run."""

    def show(test: CacheTest, result: Result, wire: str) -> None:
        say(wire)
        say(report.single(suite, test.id, own_verdict(test, result), result, expected[test.id]))

    def tick(_: CacheTest) -> None:
        sys.stderr.write(".")
        sys.stderr.flush()

    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", arguments.origin_port), backlog=512))
        if arguments.no_start:
            proxy = address_of(arguments.base)
        else:
            port = listener.getsockname()[1]
            started = started_proxy(port, workers=arguments.workers, redis_url=arguments.redis, log=arguments.log)
            proxy = stack.enter_context(started)
        if arguments.verbose:
            return asyncio.run(run_traced(tests, listener, proxy, show=show))
        results = asyncio.run(run_tests(tests, listener, proxy, parallel=arguments.parallel, on_done=tick))
        doubtful = [t for t in tests if own_verdict(t, results[t.id]) is not expected[t.id].verdict]
        if 0 < len(doubtful) <= SECOND_CHANCES:
            say(f"running again, {CALM_PARALLEL} at a time: {', '.join(t.id for t in doubtful)}")
            results |= asyncio.run(run_tests(doubtful, listener, proxy, parallel=CALM_PARALLEL, on_done=tick))
        sys.stderr.write("\n")
        return results


def judge(
    suite: Suite, tests: Sequence[CacheTest], expected: dict[str, Expectation], results: dict[str, Result]
) -> int:
    """Print the verdicts; returns the exit status. Dependencies count only where the whole suite ran."""
    whole = len(tests) == len(suite)
    verdicts: dict[str, Verdict] = {test.id: verdict(suite, test, results, heed_dependencies=whole) for test in tests}
    found = expectations.differences(expected, verdicts, results)
    if whole:
        say(report.groups(suite, verdicts))
        say(report.table(score(suite, verdicts)))
    if found:
        say(report.unexpected(found))
    say(f"{len(verdicts) - len(found)} passed, {len(found)} failed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
