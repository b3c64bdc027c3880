"""One measurement with wrk: throughput, latency, and what it cost the server, the generator and the origin."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.peers.machine import counted_instructions, on_core, processor_seconds
from benchmarks.peers.tools import find
from benchmarks.peers.wire import LoadError, ask

SCRIPT = Path(__file__).parent / "files" / "requests.lua"
NUMBERS_A_WINDOW = 100_000_000
COUNT = b"GET /count HTTP/1.1\r\nHost: origin\r\n\r\n"


class Told(msgspec.Struct, frozen=True):
    """What wrk said. `refused` counts statuses of 400 and above."""

    requests: int
    microseconds: int
    bytes_read: int = msgspec.field(name="bytes")
    p50_us: int
    p99_us: int
    broken: int
    refused: int


class Window(msgspec.Struct, frozen=True):
    """One contender in one round. Processor time is user and system time of all its processes, per request."""

    requests: int
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    server_busy: float
    load_busy: float
    origin_requests: int
    refused: int
    instructions: float | None = None


@dataclass(frozen=True, slots=True)
class Shot:
    """What to measure: requests from a file against a port; the server's processes; the origin."""

    port: int
    requests: Path
    connections: int
    seconds: int
    pids: Sequence[int]
    origin_port: int
    load_core: int
    first_number: int
    count_instructions: bool
    scheme: str = "http"


def shoot(shot: Shot) -> Window:
    """Run wrk once. Raises LoadError when it or a connection broke."""
    argv = [find("wrk") or "wrk", "-t1", f"-c{shot.connections}", f"-d{shot.seconds}s", "--timeout", "20s"]
    argv += [
        "-s",
        str(SCRIPT),
        f"{shot.scheme}://127.0.0.1:{shot.port}/",
        "--",
        str(shot.requests),
        str(shot.first_number),
    ]
    asked = origin_count(shot.origin_port)
    spent = processor_seconds(shot.pids)
    with counted_instructions(shot.pids, supported=shot.count_instructions) as instructions:
        told, load_seconds = _run(argv, shot.load_core)
    spent = processor_seconds(shot.pids) - spent
    if told.broken or not told.requests:
        message = f"{told.broken} connections or answers of {told.requests} broke"
        raise LoadError(message)
    seconds = told.microseconds / 1e6
    return Window(
        requests=told.requests,
        per_second=round(told.requests / seconds, 1),
        p50_ms=told.p50_us / 1000,
        p99_ms=told.p99_us / 1000,
        cpu_us=round(spent / told.requests * 1e6, 2),
        server_busy=round(spent / seconds, 3),
        load_busy=round(load_seconds / seconds, 3),
        origin_requests=origin_count(shot.origin_port) - asked,
        refused=told.refused,
        instructions=instructions[0] / told.requests if instructions else None,
    )


def origin_count(port: int) -> int:
    """How many requests have reached the origin."""
    return int(ask(port, COUNT).body)


def _run(argv: list[str], core: int) -> tuple[Told, float]:
    """What wrk said, and the processor seconds it took."""
    with on_core(core):
        child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert child.stdout is not None
    with child.stdout:
        text = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    line = next((line for line in text.splitlines() if line.startswith("RESULT ")), None)
    if line is None:
        message = f"wrk said: {text.strip()[-300:]}"
        raise LoadError(message)
    return msgspec.json.decode(line.removeprefix("RESULT "), type=Told), usage.ru_utime + usage.ru_stime
