"""Many connections that do nothing: what each costs in memory, and what hits cost beside them."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import msgspec

from benchmarks.peers.cases import NGINX, VARNISH, VENEER
from benchmarks.peers.field import Field
from benchmarks.peers.machine import resident_bytes
from benchmarks.peers.requests import request
from benchmarks.peers.run import Say, prepare
from benchmarks.peers.wire import END, LoadError, whole_size
from benchmarks.peers.wrk import Window

CONTENDERS = {VENEER: "veneer", NGINX: "nginx", VARNISH: "varnish"}


class Idle(msgspec.Struct, frozen=True):
    """One contender: bytes of memory for each idle connection, and hits without and with them."""

    label: str
    connections: int
    bytes_each: float
    alone: list[Window]
    beside: list[Window]


def measure_idle(field: Field, connections: int, say: Say) -> list[Idle]:
    """Every contender in turn. As many connections as this process may open at most."""
    connections = min(connections, field.setting.files_most - 200)
    return [
        _measure(field, label, server, connections, say)
        for label, server in CONTENDERS.items()
        if field.missing(server) is None
    ]


def _measure(field: Field, label: str, name: str, connections: int, say: Say) -> Idle:
    asked = request("/small/hit")
    server, file = field.server(name), field.requests_file("idle", [asked])
    port = server.ports["full"]
    prepare(port, [asked])
    rounds = range(max(1, field.setting.rounds // 2))
    alone = [field.shoot(server, "full", file, 32) for _ in rounds]
    before = resident_bytes(server.pids)
    with ExitStack() as stack:
        for _ in range(connections):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
            _exchange(connection, asked)
        each = (resident_bytes(server.pids) - before) / connections
        beside = [field.shoot(server, "full", file, 32) for _ in rounds]
    say(f"idle: {label} {each / 1024:.2f} KB for each of {connections} connections")
    return Idle(label, connections, round(each, 1), alone, beside)


def _exchange(connection: socket.socket, asked: bytes) -> None:
    """One request and its answer: a connection is idle after a request, not before the first."""
    connection.sendall(asked)
    got = b""
    while END not in got or len(got) < whole_size(got):
        piece = connection.recv(65_536)
        if not piece:
            raise LoadError("an idle connection was closed")
        got += piece
