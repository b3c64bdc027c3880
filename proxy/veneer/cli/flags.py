"""The flags of all commands. What the commands do is not imported here, so that each starts with what it needs."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from veneer.core.messages import DEFAULT_AUTHORITY
from veneer.main.options import DEFAULT_LISTEN
from veneer.policy.units import UnitError, parse_duration, parse_rate

DEFAULT_ADMIN: Final = "127.0.0.1:9090"
ADDRESS_VARIABLE: Final = "VENEER_ADMIN"
TOKEN_VARIABLE: Final = "VENEER_ADMIN_TOKEN"  # noqa: S105 - a name
TOKEN_FILE_VARIABLE: Final = "VENEER_ADMIN_TOKEN_FILE"  # noqa: S105 - a name
ASKS_FROM: Final = 1_000
"""So many responses are not purged without a word."""
SHELLS: Final = ("bash", "zsh", "fish")
"""Those that can complete commands."""


def add_admin_flags(parser: argparse.ArgumentParser) -> None:
    """Declare where the listener is, and `--json`."""
    parser.add_argument(
        "--admin", metavar="ADDRESS", default=None,
        help=f"the proxy's admin listener, as HOST:PORT or URL (default {ADDRESS_VARIABLE}, else {DEFAULT_ADMIN})",
    )  # fmt: skip
    parser.add_argument(
        "--token-file", metavar="FILE", type=Path, default=None,
        help=f"file that holds the admin token (default {TOKEN_FILE_VARIABLE}, else the token in {TOKEN_VARIABLE})",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="answer in JSON")


def add_status_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `status` and `routes`."""
    add_admin_flags(parser)


def add_health_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `health`."""
    add_admin_flags(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--live", action="store_true", help="only whether the process lives")
    which.add_argument("--ready", action="store_true", help="only whether it is to get requests")


def add_config_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `config`."""
    add_admin_flags(parser)
    parser.add_argument("--route", metavar="NAME", default=None, help="all that holds on one route")
    parser.add_argument("--all", action="store_true", help="defaults as well")


def add_stored_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `stored`."""
    add_admin_flags(parser)
    parser.add_argument("url", metavar="URL", help="http://host/path?query, or /path?query for every host")
    parser.add_argument(
        "-H", "--header", metavar="'NAME: VALUE'", type=field_flag, action="append", default=[],
        help="field of the request that is judged",
    )  # fmt: skip


def _identity_flag(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        raise argparse.ArgumentTypeError('write "NAME=VALUE"')
    return name, value


def _final_status(text: str) -> int:
    if not text.isdigit() or not 200 <= int(text) <= 599:
        raise argparse.ArgumentTypeError("a final status is a number from 200 to 599")
    return int(text)


def field_flag(text: str) -> tuple[str, str]:
    """A field given on the command line as "Name: value"."""
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise argparse.ArgumentTypeError('write "Name: value"')
    return name.strip(), value.strip()


def add_explain_flags(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Declare the flags of `explain`."""
    parser.add_argument("target", metavar="TARGET", help="path and query, as in /users/42?page=1")
    parser.add_argument(
        "--policies", metavar="FILE", type=Path, default=environment.get("VENEER_POLICIES"), help="policies.yaml"
    )
    parser.add_argument("--method", default="GET", help="default GET")
    parser.add_argument("--host", default=DEFAULT_AUTHORITY, help=f"the request's host (default {DEFAULT_AUTHORITY})")
    parser.add_argument(
        "-H", "--header", metavar="'NAME: VALUE'", type=field_flag, action="append", default=[], help="request field"
    )
    parser.add_argument(
        "--identity", metavar="NAME=VALUE", type=_identity_flag, action="append", default=[],
        help="a value that the request proves, as if its Authorization did",
    )  # fmt: skip
    parser.add_argument(
        "--status", type=_final_status, default=200, help="status of the backend's response (default 200)"
    )
    parser.add_argument(
        "-R", "--response-header", metavar="'NAME: VALUE'", type=field_flag, action="append", default=[],
        help="field of the backend's response",
    )  # fmt: skip
    parser.add_argument(
        "--ask", action="store_true", help="send the request to the backend, and explain what it really answers"
    )


def add_check_policies_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `check-policies`."""
    parser.add_argument("file", metavar="FILE", type=Path, nargs="+", help="policy files")
    parser.add_argument("--show", action="store_true", help="print what each file comes to, as the proxy sees it")
    parser.add_argument(
        "--ask", action="store_true", help="judge tests that give no response by what the backend answers now"
    )
    parser.add_argument("--upstream", metavar="URL", default=None, help="as for serve")
    parser.add_argument("--json", action="store_true", help="answer in JSON: each problem with its place")


def _rate(text: str) -> float:
    try:
        rate = parse_rate(text)
    except UnitError as error:
        msg = f"{error}; {error.suggestion}"
        raise argparse.ArgumentTypeError(msg) from error
    return rate.quota / rate.window_s


def _at_once(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError("must be a number from 1 to 1000")
    return int(text)


def add_warm_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `warm`."""
    parser.add_argument(
        "--from", dest="source", metavar="FILE", required=True,
        help="paths or URLs by line, a sitemap, or an access log (JSON or common log format); - for standard input",
    )  # fmt: skip
    parser.add_argument("--proxy", metavar="URL", default=f"http://{DEFAULT_LISTEN}", help="the proxy to fill")
    parser.add_argument("--at-once", metavar="N", type=_at_once, default=4, help="requests at a time (default 4)")
    parser.add_argument("--rate", metavar="RATE", type=_rate, default=0.0, help="at most this many, as in 50/1s")
    parser.add_argument("--top", metavar="N", type=int, default=0, help="only the N most frequent targets")
    parser.add_argument(
        "-H", "--header", metavar="'NAME: VALUE'", type=field_flag, action="append", default=[], help="request field"
    )


def _count(text: str) -> int:
    if not text.isdecimal():
        msg = "must be a number"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def add_purge_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `purge`."""
    add_admin_flags(parser)
    parser.add_argument("tag", metavar="TAG", nargs="*", help="tags; users:* is users and all below it")
    parser.add_argument("--url", metavar="URL", action="append", default=[], help="http://host/path, or /path for all")
    parser.add_argument("--prefix", metavar="URL", action="append", default=[], help="all that begins so")
    parser.add_argument("--everything", action="store_true", help="all that is stored")
    parser.add_argument("--soft", action="store_true", help="make it stale instead of forgetting it")
    parser.add_argument("--dry-run", action="store_true", help="only say what it would reach")
    parser.add_argument("--yes", action="store_true", help="do not look and do not ask before it")
    parser.add_argument(
        "--ask-from", metavar="N", type=_count, default=ASKS_FROM,
        help=f"ask before a purge of this many responses or more (default {ASKS_FROM})",
    )  # fmt: skip


def _slow(text: str) -> float:
    try:
        return parse_duration(text) * 1_000
    except UnitError as error:
        msg = f"{error}; {error.suggestion}"
        raise argparse.ArgumentTypeError(msg) from error


def add_tail_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `tail`."""
    add_admin_flags(parser)
    parser.add_argument("--route", metavar="NAME", default=None, help="only this route")
    parser.add_argument("--status", metavar="LIST", default=None, help="only these, as in 404,5xx or 500-503")
    parser.add_argument("--cache", metavar="LIST", default=None, help="only these results, as in miss,bypass")
    parser.add_argument(
        "--slow", metavar="DURATION", type=_slow, default=None, help="only what took as long, as in 200ms"
    )
    parser.add_argument("-n", "--lines", metavar="N", type=int, default=0, help="end after so many lines")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 3_600:
        msg = "must be a number of seconds from 0.1 to 3600"
        raise argparse.ArgumentTypeError(msg)
    return seconds


def add_top_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `top`."""
    add_admin_flags(parser)
    parser.add_argument("--every", metavar="SECONDS", type=_seconds, default=2.0, help="time between looks (default 2)")
    parser.add_argument("-n", "--count", metavar="N", type=int, default=0, help="end after so many tables")


def add_schema_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `schema`."""
    parser.description = (
        "Print the JSON Schema of policies.yaml. Keep it in a file, and begin policies.yaml with "
        "`# yaml-language-server: $schema=FILE`."
    )


def add_completion_flags(parser: argparse.ArgumentParser) -> None:
    """Declare which shell."""
    parser.add_argument("shell", choices=SHELLS, help="the shell that reads it")


def add_changes_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `changes`."""
    commands = parser.add_subparsers(dest="what", required=True, metavar="COMMAND")
    setup = commands.add_parser("setup", help="print the SQL that a database needs, or carry it out")
    status = commands.add_parser("status", help="say whether the database tells its changes, and how the slot is")
    wait = commands.add_parser("wait", help="wait until every live node has applied what was committed")
    for one in (setup, status):
        one.add_argument("file", metavar="FILE", type=Path, help="the policy file")
    setup.add_argument(
        "--admin-dsn", metavar="DSN", default=None,
        help="ask this database, as an administrator, and print only what it lacks",
    )  # fmt: skip
    setup.add_argument("--run", action="store_true", help="carry it out over --admin-dsn")
    wait.add_argument("--admin", metavar="URL", default=f"http://{DEFAULT_ADMIN}", help="the proxy's admin listener")
    wait.add_argument(
        "-H", "--header", metavar="'NAME: VALUE'", type=field_flag, action="append", default=[],
        help="request field, as the admin token's",
    )  # fmt: skip
    wait.add_argument("--lsn", default="", help="up to where, as pg_current_wal_lsn() says (default: up to now)")
    wait.add_argument("--timeout", metavar="SECONDS", type=float, default=10.0, help="at most so long (default 10)")
    for one in (setup, status, wait):
        one.add_argument("--source", metavar="NAME", default=None, help="only this source of the policy")
        one.add_argument("--json", action="store_true", help="answer in JSON")
