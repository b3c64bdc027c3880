"""`veneer warm`: fill a running proxy's cache from a list, a sitemap or an access log."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from veneer.warming.sources import read_targets
from veneer.warming.warmer import Progress, RequestRate, WarmReport, warm

FINE, WRONG = 0, 1
BAR_WIDTH = 30


def warm_proxy(arguments: argparse.Namespace, _environment: Mapping[str, str]) -> int:
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
