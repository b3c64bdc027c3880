"""The processes under test: a Redis, the backend of registers, three nodes, one of them to be behind a relay."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import redis

from checks.coherence.http import Connection
from devstack.backend import answers
from devstack.process import Launch, ManagedProcess, free_ports, port_is_open
from devstack.redis import RedisServer

NODES = 3
DOUBTFUL = 4_000
POLICY = """\
version: 1
timeouts: {drain: 500ms}
routes:
  - name: doubtful
    match: {path: "/d/{number}"}
    read_timeout: 500ms
"""
FAR = NODES - 1
"""The node that the relay will be put before."""


class Node:
    """One proxy process. `program` is what is run of it, a module and its arguments, perhaps a mutant."""

    def __init__(
        self,
        name: str,
        ports: tuple[int, int],
        upstream: str,
        redis_url: str,
        directory: Path,
        program: Sequence[str] = ("veneer",),
        policy: str = POLICY,
    ) -> None:
        self.name = name
        self.port, self.admin_port = ports
        policies = directory / "policies.yaml"
        policies.write_text(policy, "utf-8")
        self._argv = ["serve", "--upstream", upstream, "--policies", str(policies)]
        self._argv += ["--listen", f"127.0.0.1:{self.port}", "--admin", f"127.0.0.1:{self.admin_port}"]
        self._log = directory / f"{name}.log"
        self._program, self._redis_url = tuple(program), redis_url
        self.process = self._process()

    def _process(self) -> ManagedProcess:
        argv = [sys.executable, "-m", *self._program, *self._argv, "--redis", self._redis_url]
        return ManagedProcess(Launch(self.name, argv, self._log))

    def move(self, redis_url: str) -> None:
        """Stop in order and start again with another way to Redis."""
        self.process.stop()
        self._redis_url = redis_url
        self.process = self._process()
        self.start()

    def run_as(self, program: Sequence[str]) -> None:
        """Be this program from the next start on. It must have been stopped."""
        self._program = tuple(program)
        self.process = self._process()

    def start(self) -> None:
        """Start and wait until it answers."""
        self.process.start()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until it answers."""
        self.process.wait_ready(lambda: answers(f"http://127.0.0.1:{self.admin_port}/health"), timeout_s=30)

    def freeze(self) -> None:
        """SIGSTOP."""
        self.process.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self.process.send(signal.SIGCONT)


def nodes_on(
    ports: Sequence[int], upstream: str, redis_url: str, directory: Path, program: Sequence[str], policy: str
) -> list[Node]:
    """Nodes before one backend, each with the next two ports: for clients, and for the admin listener."""
    pairs = enumerate(zip(ports[::2], ports[1::2], strict=True))
    return [Node(f"node-{n}", pair, upstream, redis_url, directory, program, policy) for n, pair in pairs]


def start_nodes(nodes: Sequence[Node]) -> None:
    """Start them at once and wait until each answers: Python takes a second to import what a node is made of."""
    for node in nodes:
        node.process.start()
    for node in nodes:
        node.wait_ready()


def stop_nodes(nodes: Sequence[Node]) -> None:
    """Stop them at once; whatever is frozen is thawed first."""
    for node in nodes:
        for number in (signal.SIGCONT, signal.SIGTERM):
            with suppress(ProcessLookupError):
                node.process.send(number)
    for node in nodes:
        node.process.wait(timeout_s=10)
        node.process.stop()


class World:
    """Everything that runs; starting and faults block, so they are called in threads."""

    def __init__(self, directory: Path, registers: int, pages: int, mutant: str | None, settles_s: float = 2.5) -> None:
        self.doubtful = DOUBTFUL
        redis_port, self._relay_control, relay_port, self.backend_port, *ports = free_ports(4 + 2 * NODES)
        self.redis = RedisServer(directory / "redis", port=redis_port, persist=True)
        module = [sys.executable, "-m"]
        relay = [*module, "checks.coherence.relay_process", str(self._relay_control), str(relay_port)]
        self._relay = ManagedProcess(Launch("relay", [*relay, str(self.redis.port)], directory / "relay.log"))
        backend = [*module, "checks.coherence.registers", str(self.backend_port), str(registers), str(pages)]
        self._backend = ManagedProcess(Launch("backend", backend, directory / "backend.log"))
        upstream = f"http://127.0.0.1:{self.backend_port}"
        self._relay_url = f"redis://127.0.0.1:{relay_port}/0"
        self.relayed = False
        program = ["veneer"] if mutant is None else ["checks.coherence.mutants", mutant]
        policy = POLICY + (f"    write_settles: {settles_s:g}s\n" if settles_s else "")
        self.nodes = nodes_on(ports, upstream, self.redis.url, directory, program, policy)

    def start(self) -> None:
        """Start everything, the nodes last."""
        self.redis.start()
        self._relay.start()
        self._backend.start()
        self._relay.wait_ready(lambda: port_is_open(self._relay_control))
        self._backend.wait_ready(lambda: port_is_open(self.backend_port))
        start_nodes(self.nodes)

    def stop(self) -> None:
        """Stop everything; whatever is frozen is thawed first."""
        stop_nodes(self.nodes)
        self._backend.stop()
        self._relay.stop()
        self.redis.stop()

    def put_relay_between(self) -> None:
        """From now on node FAR reaches Redis through the relay. Before that nothing makes anybody slower."""
        self.nodes[FAR].move(self._relay_url)
        self.relayed = True

    def redis_command(self, *command: str | int) -> None:
        """Send one command to Redis, directly."""
        client = redis.Redis(host="127.0.0.1", port=self.redis.port, socket_timeout=10)
        with client:
            client.execute_command(*command)  # type: ignore[no-untyped-call]

    async def relay(self, command: str) -> None:
        """Tell the relay what to do."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._relay_control)
        writer.write(command.encode() + b"\n")
        await reader.readline()
        writer.close()

    async def bump(self, connection: Connection, register: int) -> int:
        """Make a version at the backend, past every node; the version."""
        reply = await connection.ask("POST", f"/bump/{register}")
        return int(reply.body.partition(b"=")[2])
