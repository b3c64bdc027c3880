"""Clients that read, write, list and purge, and hand every answer to the ledger."""

from __future__ import annotations

import asyncio
import json
import random
import time
from dataclasses import dataclass

from checks.coherence.http import Connection
from checks.coherence.ledger import Ledger
from checks.coherence.world import World

FAILURES = (OSError, EOFError, ValueError, TimeoutError)
WRITE_SHARE, PURGE_SHARE, PAGE_SHARE = 0.004, 0.0015, 0.05
HOT_SHARE, HOT_READS = 0.2, 0.8
PAUSE_AFTER_FAILURE_S = 0.05
CATCH_UP_S = 0.5
"""How far behind its pace a client may be and still make up for it."""


@dataclass(frozen=True, slots=True)
class Load:
    """How many clients there are, and of what they read and write."""

    clients: int
    registers: int
    pages: int
    seed: int


async def warm_up(ledger: Ledger, for_s: float, *, until_found: bool) -> None:
    """Let the clients run before the first phase; a mutant only until it is found out."""
    clock = asyncio.get_running_loop()
    until_s = clock.time() + for_s
    while clock.time() < until_s and not (until_found and ledger.violations):  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.1)


class Clients:
    """A crowd of clients; most stay with a node, every fifth goes from node to node.

    `rate` bounds the operations a second that they do together; 0 is as fast as they can.
    """

    def __init__(self, world: World, ledger: Ledger, load: Load) -> None:
        self._world = world
        self._ledger = self.ledger = ledger
        self._load = load
        self.rate = 0.0
        self.stopped = False

    async def run(self, number: int) -> None:
        """One client's life."""
        chance = random.Random(self._load.seed * 1000 + number)
        doors = [Connection(node.port) for node in self._world.nodes]
        admins = [Connection(node.admin_port, "localhost") for node in self._world.nodes]
        backend = Connection(self._world.backend_port)
        home = None if number % 5 == 4 else number % len(doors)
        clock, due = asyncio.get_running_loop(), 0.0
        while not self.stopped:
            if self.rate:
                due = max(due, clock.time() - CATCH_UP_S) + chance.expovariate(self.rate / self._load.clients)
                await asyncio.sleep(due - clock.time())
            node = chance.randrange(len(doors)) if home is None else home
            try:
                await self._operate(chance, node, doors[node], admins[node], backend)
            except FAILURES:
                self._ledger.failed()
                await asyncio.sleep(PAUSE_AFTER_FAILURE_S)
        for connection in (*doors, *admins, backend):
            connection.close()

    async def _operate(
        self, chance: random.Random, node: int, door: Connection, admin: Connection, backend: Connection
    ) -> None:
        dice = chance.random()
        register = self._choose(chance)
        if dice < WRITE_SHARE:
            # The second write meets the reads that the first one has sent to the backend.
            for _ in range(chance.choice((1, 2, 3))):
                await self._write(node, door, register)
        elif dice < WRITE_SHARE + PURGE_SHARE:
            await self._purge(admin, backend, register)
        elif dice < WRITE_SHARE + PURGE_SHARE + PAGE_SHARE:
            await self.read(node, door, f"/page/{chance.randrange(self._load.pages)}")
        else:
            await self.read(node, door, f"/r/{register}")

    def _choose(self, chance: random.Random) -> int:
        hot = max(1, int(self._load.registers * HOT_SHARE))
        return chance.randrange(hot) if chance.random() < HOT_READS else chance.randrange(self._load.registers)

    async def read(self, node: int, door: Connection, path: str) -> None:
        """Read and judge."""
        floor = self._ledger.floor()
        reply = await door.ask("GET", path)
        if reply.status != 200:
            self._ledger.failed()
            return
        name = self._world.nodes[node].name
        self._ledger.read(name, path, floor, reply.body, reply.cache_status)

    async def _write(self, node: int, door: Connection, register: int) -> None:
        began = time.perf_counter()
        reply = await door.ask("PUT", f"/r/{register}", b"{}")
        if reply.status != 200:
            self._ledger.failed()
            return
        took_ms = (time.perf_counter() - began) * 1000
        backend_ms = float(reply.fields["server-timing"].partition("dur=")[2])
        self._ledger.wrote(register, int(reply.body.partition(b"=")[2]))
        inside_ms = float(reply.fields["x-response-time"].removesuffix("ms"))
        self._ledger.waited(node, took_ms - backend_ms, inside_ms - backend_ms)

    async def _purge(self, admin: Connection, backend: Connection, register: int) -> None:
        """Change the register behind the caches, then purge: what counts is the purge's answer."""
        version = await self._world.bump(backend, register)
        reply = await admin.ask("POST", "/purge", json.dumps({"tags": [f"reg:{register}"]}).encode())
        if reply.status != 200:
            self._ledger.failed()
            return
        self._ledger.wrote(register, version)
        self._ledger.tally.receipt_ms.append(json.loads(reply.body)["duration_ms"])

    async def probe(self, node: int, count: int) -> None:
        """Read many registers from one node at once, each over a connection of its own."""

        async def one(register: int) -> None:
            connection = Connection(self._world.nodes[node].port)
            try:
                await self.read(node, connection, f"/r/{register % self._load.registers}")
            except FAILURES:
                self._ledger.failed()
            finally:
                connection.close()

        await asyncio.gather(*(one(register) for register in range(count)))
