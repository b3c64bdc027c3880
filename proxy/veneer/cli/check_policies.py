"""`veneer check-policies FILE`: is this file right, and what does it come to?"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import msgspec

from veneer.cli.asking import as_answered
from veneer.cli.without_redis import without_redis
from veneer.loop.clock import SystemClock
from veneer.policy.listeners import time_warnings
from veneer.policy.load import failing_tests, load_policy
from veneer.policy.model import Policy
from veneer.policy.problems import ConfigError, PolicyError
from veneer.policy.render import render_policy
from veneer.policy.settings import Overrides, read_environment
from veneer.policy.sources import read_text
from veneer.policy.warnings import report

RIGHT, WRONG = 0, 1


class PolicyProblem(msgspec.Struct, frozen=True):
    """One thing to put right, or to think over: where, what it is, and what would be right.

    `line` and `column` count from 1; 0 where there is no place, as for a file that cannot be read. `right` is None
    where nothing is known.
    """

    file: str
    line: int
    column: int
    key: str
    what: str
    right: str | None


class Checked(msgspec.Struct, frozen=True):
    """What `--json` tells of a file. `version` is the digest of a right one, "" otherwise.

    `omitted` is how many problems there are beyond those that are told.
    """

    file: str
    right: bool
    version: str = ""
    routes: int = 0
    rate_limits: int = 0
    problems: tuple[PolicyProblem, ...] = ()
    omitted: int = 0
    warnings: tuple[PolicyProblem, ...] = ()


def check_policies(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Report on every file; 0 when all are right, with or without warnings, 1 otherwise."""
    checked = [_check(path, arguments, environment) for path in arguments.file]
    if arguments.json:
        told = [_told(path, found) for path, found in zip(arguments.file, checked, strict=True)]
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(told), indent=2).decode() + "\n")
    else:
        for path, found in zip(arguments.file, checked, strict=True):
            _say(path, found, show=arguments.show)
    return WRONG if any(isinstance(found, PolicyError) for found in checked) else RIGHT


def _check(path: Path, arguments: argparse.Namespace, environment: Mapping[str, str]) -> Policy | PolicyError:
    """The policy in a file, or what is wrong with it."""
    try:
        overrides = Overrides(upstream_url=arguments.upstream).over(read_environment(environment))
        policy = load_policy(path, overrides)
    except PolicyError as error:
        return error
    failing = failing_tests(read_text(path), str(path), policy, as_answered) if arguments.ask else ()
    if failing:
        return PolicyError(str(path), failing)
    soon = time_warnings(policy.listeners, SystemClock().now())
    return replace(policy, warnings=(*policy.warnings, *soon))


def _say(path: Path, found: Policy | PolicyError, *, show: bool) -> None:
    if isinstance(found, PolicyError):
        sys.stderr.write(f"{found}\n")
        return
    listed, limits = len(found.routes) - 1, len(found.rate_limits)
    what = f"{listed} routes, {limits} rate limits, {len(found.warnings)} warnings, version {found.version_digest}"
    sys.stdout.write(f"{path}: right ({what})\n")
    sys.stderr.writelines(f"warning: {line}\n" for line in report(found.warnings, str(path)))
    sys.stdout.write(without_redis(found))
    if show:
        sys.stdout.write(render_policy(found))


def _told(path: Path, found: Policy | PolicyError) -> Checked:
    if isinstance(found, PolicyError):
        problems = tuple(_problem(one, found.name) for one in found.problems)
        return Checked(str(path), right=False, problems=problems, omitted=found.omitted)
    return Checked(
        str(path),
        right=True,
        version=found.version_digest,
        routes=len(found.routes) - 1,
        rate_limits=len(found.rate_limits),
        warnings=tuple(_problem(one, str(path)) for one in found.warnings),
    )


def _problem(one: ConfigError, name: str) -> PolicyProblem:
    return PolicyProblem(one.file or name, one.line, one.column, one.key, one.message, one.suggestion)
