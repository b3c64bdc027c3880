"""`veneer warm`: fill a running proxy's cache from a list, a sitemap or an access log."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TextIO

from veneer.cli.explain import field_flag
from veneer.main.options import DEFAULT_LISTEN
from veneer.policy.units import UnitError, parse_rate
from veneer.warming.sources import read_targets
from veneer.warming.warmer import Progress, RequestRate, WarmReport, warm

FINE, WRONG = 0, 1
BAR_WIDTH = 30


def _rate(text: str) -> float:
    try:
        rate = parse_rate(text)
    except UnitError as error:
        msg = f"{error}; {error.suggestion}"
        raise argparse.ArgumentTypeError(msg) from error
    return rate.quota / rate.window_s


def _count(text: str) -> int:
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
    parser.add_argument("--at-once", metavar="N", type=_count, default=4, help="requests at a time (default 4)")
    parser.add_argument("--rate", metavar="RATE", type=_rate, default=0.0, help="at most this many, as in 50/1s")
    parser.add_argument("--top", metavar="N", type=int, default=0, help="only the N most frequent targets")
    parser.add_argument(
        "-H", "--header", metavar="'NAME: VALUE'", type=field_flag, action="append", default=[], help="request field"
    )


def warm_proxy(arguments: argparse.Namespace) -> int:
    """Ask for every target and show progress; 1 when there is nothing to ask for, or something failed."""
    try:
        text = sys.stdin.read() if arguments.source == "-" else Path(arguments.source).read_text("utf-8", "replace")
    except OSError as error:
        sys.stderr.write(f"{arguments.source}: cannot be read: {error.strerror}\n")
        return WRONG
    targets = read_targets(text)
    targets = targets[: arguments.top] if arguments.top > 0 else targets
    if not targets:
        sys.stderr.write(f"{arguments.source}: names no path and no URL\n")
        return WRONG
    progress = bar(sys.stderr) if sys.stderr.isatty() else None
    pace = RequestRate(arguments.at_once, arguments.rate)
    report = asyncio.run(warm(targets, arguments.proxy, dict(arguments.header), pace, progress))
    sys.stdout.write(f"{report}\n")
    return WRONG if report.failed else FINE


def bar(stream: TextIO) -> Progress:
    """A progress bar on one line of a terminal."""

    def show(report: WarmReport) -> None:
        filled = BAR_WIDTH * report.done // max(1, report.wanted)
        end = "\n" if report.done == report.wanted else ""
        stream.write(f"\r[{'#' * filled:<{BAR_WIDTH}}] {report.done}/{report.wanted}{end}")
        stream.flush()

    return show
