"""Latency of hits at half of nginx's own full load, with a generator of a fixed rate."""

from __future__ import annotations

import statistics

import msgspec

from benchmarks.peers.cases import NGINX, VENEER
from benchmarks.peers.field import Field
from benchmarks.peers.machine import on_core
from benchmarks.peers.requests import request
from benchmarks.peers.run import Say, prepare
from benchmarks.peers.wire import Paced, paced

RATE_MOST = 20_000.0
"""What this generator can send with time to spare."""

CONTENDERS = {VENEER: "veneer", NGINX: "nginx", "Varnish": "varnish"}


class Latency(msgspec.Struct, frozen=True):
    """Rounds of each contender at the same rate (requests per second)."""

    rate: float
    rounds: dict[str, list[Paced]]


def measure_latency(field: Field, full_load: float | None, say: Say) -> Latency:
    """Send at half of `full_load`, the rate at which nginx is busy all the time; measured here where not known."""
    asked = request("/small/hit")
    there = {label: server for label, server in CONTENDERS.items() if field.missing(server) is None}
    for server in there.values():
        prepare(field.server(server).ports["full"], [asked])
    rate = min(RATE_MOST, (full_load or _full_load(field, NGINX if NGINX in there else VENEER, asked)) / 2)
    rounds: dict[str, list[Paced]] = {label: [] for label in there}
    for number in range(field.setting.rounds):
        for label, server in there.items():
            port = field.server(server).ports["full"]
            with on_core(field.setting.cores.load):
                rounds[label].append(paced(port, asked, rate, field.setting.seconds))
        told = ", ".join(f"{label} p99 {found[-1].p99_us:.0f} us" for label, found in rounds.items())
        say(f"half-load round {number + 1}: {told}")
    return Latency(rate, rounds)


def _full_load(field: Field, label: str, asked: bytes) -> float:
    server = field.server(CONTENDERS[label])
    file = field.requests_file("half-load", [asked])
    return statistics.median(field.shoot(server, "full", file, 32).per_second for _ in range(3))
