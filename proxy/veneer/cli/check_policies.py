"""`veneer check-policies FILE`: is this file right, and what does it come to?"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from veneer.cli.asking import as_answered
from veneer.cli.without_redis import without_redis
from veneer.loop.clock import SystemClock
from veneer.policy.listeners import time_warnings
from veneer.policy.load import failing_tests, load_policy
from veneer.policy.problems import PolicyError
from veneer.policy.render import render_policy
from veneer.policy.settings import Overrides, read_environment
from veneer.policy.sources import read_text
from veneer.policy.warnings import report

RIGHT, WRONG = 0, 1


def add_check_policies_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `check-policies`."""
    parser.add_argument("file", metavar="FILE", type=Path, nargs="+", help="policy files")
    parser.add_argument("--show", action="store_true", help="print what each file comes to, as the proxy sees it")
    parser.add_argument(
        "--ask", action="store_true", help="judge tests that give no response by what the backend answers now"
    )
    parser.add_argument("--upstream", metavar="URL", default=None, help="as for serve")


def check_policies(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Report on every file; 0 when all are right, with or without warnings, 1 otherwise."""
    status = RIGHT
    for path in arguments.file:
        try:
            overrides = Overrides(upstream_url=arguments.upstream).over(read_environment(environment))
            policy = load_policy(path, overrides)
        except PolicyError as error:
            sys.stderr.write(f"{error}\n")
            status = WRONG
            continue
        failing = failing_tests(read_text(path), str(path), policy, as_answered) if arguments.ask else ()
        if failing:
            sys.stderr.write(f"{PolicyError(str(path), failing)}\n")
            status = WRONG
            continue
        warnings = (*policy.warnings, *time_warnings(policy.listeners, SystemClock().now()))
        listed = len(policy.routes) - 1
        limits = len(policy.rate_limits)
        what = f"{listed} routes, {limits} rate limits, {len(warnings)} warnings, version {policy.version_digest}"
        sys.stdout.write(f"{path}: right ({what})\n")
        sys.stderr.writelines(f"warning: {line}\n" for line in report(warnings, str(path)))
        sys.stdout.write(without_redis(policy))
        if arguments.show:
            sys.stdout.write(render_policy(policy))
    return status
