"""`veneer tail`: the access log of a running proxy, as it is written."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlencode

import msgspec

from veneer.admin.tail_filter import BadFilterError, TailFilter
from veneer.cli.admin_client import FINE, WRONG_USE, client_of, run

_COLOURS: Final = {2: "32", 3: "36", 4: "33", 5: "31"}
"""Of statuses, by their first digit (ECMA-48 SGR)."""


class _ShownLine(msgspec.Struct, frozen=True):
    """What of a line is shown to people."""

    time: str = ""
    client: str = ""
    method: str = ""
    path: str = ""
    query: str | None = None
    status: int = 0
    duration_ms: float = 0.0
    route: str = ""
    cache: str = "none"
    cache_reason: str = ""
    bytes_out: int = 0
    error: str = ""
    dropped: int = 0


def tail_command(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """0 once it is ended, by the signal or after as many lines as were asked for."""
    said = {"route": arguments.route, "status": arguments.status, "cache": arguments.cache, "slow": arguments.slow}
    chosen = {name: str(value) for name, value in said.items() if value is not None}
    try:
        TailFilter.parse(chosen)
    except BadFilterError as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_USE

    def command() -> int:
        lines = client_of(arguments, environment).lines(f"/tail?{urlencode(chosen)}" if chosen else "/tail")
        for number, line in enumerate(_full(lines), 1):
            sys.stdout.write(line.decode("utf-8", "replace") if arguments.json else _shown(line, sys.stdout.isatty()))
            sys.stdout.flush()
            if number == arguments.lines:
                return FINE
        return FINE

    return run(command)


def _full(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Those that say something: empty ones keep the connection."""
    return (line for line in lines if line.strip())


def _shown(raw: bytes, colour: bool) -> str:
    """One line for people."""
    try:
        line = msgspec.json.decode(raw, type=_ShownLine)
    except msgspec.MsgspecError:
        return raw.decode("utf-8", "replace")
    if line.dropped:
        return f"({line.dropped} lines were dropped: this reader is too slow)\n"
    target = line.path if line.query is None else f"{line.path}?{line.query}"
    status = str(line.status)
    if colour:
        status = f"\x1b[{_COLOURS.get(line.status // 100, '0')}m{status}\x1b[0m"
    cache = f"{line.cache} ({line.cache_reason})" if line.cache_reason else line.cache
    rest = " ".join(filter(None, (line.route, cache, line.error)))
    return f"{line.time[11:23]} {status} {line.duration_ms:9.2f} ms {_safe(f'{line.method} {target}')}  {_safe(rest)}\n"


def _safe(text: str) -> str:
    """Without what a terminal would obey: paths are what strangers send."""
    return "".join(char if char.isprintable() else "?" for char in text)
