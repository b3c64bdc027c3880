"""Measuring a case: contenders in turn, round after round, after their answers have been checked."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence

import brotli
import msgspec

from benchmarks.peers.bodies import documents
from benchmarks.peers.cases import Case, Entrant, Reaches
from benchmarks.peers.certificate import SECURE
from benchmarks.peers.field import Field
from benchmarks.peers.requests import MARK
from benchmarks.peers.wire import LoadError, Reply, ask, drive
from benchmarks.peers.wrk import Window

Say = Callable[[str], None]
MANY = 16
STRAY_SHARE = 0.002
STRAY = 40
"""Requests that may reach the origin although everything is stored, such as a refresh in the background."""


class Line(msgspec.Struct, frozen=True):
    """A contender in a case, round by round."""

    label: str
    windows: list[Window]


class Outcome(msgspec.Struct, frozen=True):
    """A case: the contenders measured, and why others were not."""

    key: str
    title: str
    connections: int
    lines: list[Line]
    left_out: list[str]


def measure(case: Case, field: Field, say: Say) -> Outcome:
    """Check every contender's answers, then measure them A B C A B C. Raises LoadError where an answer is wrong."""
    entrants = [entrant for entrant in case.entrants if field.missing(entrant.server) is None]
    left_out = [f"{entrant.label}: {why}" for entrant in case.entrants if (why := field.missing(entrant.server))]
    files = [field.requests_file(f"{case.key}-{entrant.label}", entrant.requests) for entrant in entrants]
    lines = [Line(entrant.label, []) for entrant in entrants]
    for entrant, file in zip(entrants, files, strict=True):
        server = field.server(entrant.server)
        port, secure = server.ports[entrant.port], entrant.port == SECURE
        prepare(port, entrant.requests, secure=secure)
        check(case, entrant, ask(port, entrant.requests[0].replace(MARK.encode(), b"0"), secure=secure))
        field.shoot(server, entrant.port, file, case.connections, seconds=1)
    for number in range(field.setting.rounds):
        for entrant, file, line in zip(entrants, files, lines, strict=True):
            window = field.shoot(field.server(entrant.server), entrant.port, file, case.connections)
            check_window(case, entrant, window)
            line.windows.append(window)
        say(f"{case.key} round {number + 1}: " + ", ".join(_brief(line) for line in lines))
    return Outcome(case.key, case.title, case.connections, lines, left_out)


def _brief(line: Line) -> str:
    window = line.windows[-1]
    return f"{line.label} {window.per_second:,.0f}/s {window.cpu_us:.1f} us"


def prepare(port: int, requests: Sequence[bytes], *, secure: bool = False) -> None:
    """Send once what can be stored; few requests twice, so that the second is a hit from which a server may learn."""
    reads = [one for one in dict.fromkeys(requests) if one.startswith(b"GET ") and MARK.encode() not in one]
    if len(reads) > MANY and not secure:
        drive(port, reads)
        return
    for one in reads * 2:
        ask(port, one, secure=secure)


def check(case: Case, entrant: Entrant, reply: Reply) -> None:
    """The answer has the right status and, where the case names one, the origin's body. Raises LoadError."""
    if reply.status != case.status:
        message = f"{case.key}: {entrant.label} answered {reply.status} instead of {case.status}"
        raise LoadError(message)
    if case.document is None:
        return
    wanted, found = documents()[case.document].body, decoded(reply)
    same = wanted == found
    if not same and entrant.server == "fastapi":  # It writes its own JSON.
        same = json.loads(wanted) == json.loads(found)
    if not same:
        message = f"{case.key}: {entrant.label} answered another body, {len(found)} bytes instead of {len(wanted)}"
        raise LoadError(message)


def decoded(reply: Reply) -> bytes:
    """The body without its content coding."""
    coding = reply.fields.get("content-encoding", "")
    if coding == "gzip":
        return zlib.decompress(reply.body, zlib.MAX_WBITS | 16)
    return bytes(brotli.decompress(reply.body)) if coding == "br" else reply.body


def check_window(case: Case, entrant: Entrant, window: Window) -> None:
    """What was measured is what the case says: statuses, and how much reached the origin. Raises LoadError."""
    wanted = window.requests if case.status >= 400 else 0
    # Requests under way at the end are counted by one side only.
    if abs(window.refused - wanted) > case.connections + 1:
        message = f"{case.key}: {entrant.label} answered {window.refused} of {window.requests} with an error"
        raise LoadError(message)
    asked, stray = window.origin_requests, STRAY + window.requests * STRAY_SHARE
    wrong = (case.reaches is Reaches.NONE and asked > stray) or (
        case.reaches is Reaches.EVERY and asked < window.requests - stray
    )
    if wrong:
        message = f"{case.key}: {entrant.label} asked the origin {asked} times for {window.requests} requests"
        raise LoadError(message)
