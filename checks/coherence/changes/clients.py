"""Clients that read through the nodes, and write to PostgreSQL directly or through the backend."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field

from checks.coherence.changes.database import DOWN, Database
from checks.coherence.changes.ledger import CommitLedger
from checks.coherence.changes.world import SLEEPERS, ChangesWorld
from checks.coherence.clients import CATCH_UP_S, FAILURES, HOT_READS, HOT_SHARE, PAUSE_AFTER_FAILURE_S, Load
from checks.coherence.http import Connection

DIRECT_SHARE, THROUGH_SHARE, PAGE_SHARE = 0.01, 0.003, 0.05
MOVE_SHARE = 0.3
"""Of the direct writes, those that also move the register to another page."""
GIVE_UP_S = 3.0
PROBE_EVERY_S = 0.1
BETWEEN_SLEEPERS_S = 0.025


@dataclass(slots=True)
class Lags:
    """Milliseconds from a commit's end to the first read through the other node that shows it, by phase."""

    by_phase: dict[str, list[float]] = field(default_factory=dict)

    def add(self, phase: str, lag_ms: float) -> None:
        """Remember one."""
        self.by_phase.setdefault(phase, []).append(lag_ms)


class Crowd:
    """A crowd of clients; most stay with a node, every fifth goes from node to node.

    `hot` are the reads of the hot registers and their hits, by phase; `bulk_mb` what the reader held before and at most
    during each large transaction.
    """

    def __init__(self, world: ChangesWorld, ledger: CommitLedger, load: Load, rate: float) -> None:
        self._world = world
        self.ledger = ledger
        self.load = load
        self._rate = rate
        self.database = Database(world.dsn, 6)
        self.lags = Lags()
        self.hot: dict[str, tuple[int, int]] = {}
        self.bulk_mb: list[tuple[float, float]] = []
        self.stopped = False
        self.writes_through = True
        self._sleepers = range(load.registers + 1, load.registers + 1 + SLEEPERS)

    async def run(self, number: int) -> None:
        """One client's life."""
        chance = random.Random(self.load.seed * 1000 + number)
        doors = [Connection(node.port) for node in self._world.nodes]
        home = None if number % 5 == 4 else number % len(doors)
        clock, due_s = asyncio.get_running_loop(), 0.0
        while not self.stopped:
            due_s = max(due_s, clock.time() - CATCH_UP_S) + chance.expovariate(self._rate / self.load.clients)
            await asyncio.sleep(due_s - clock.time())
            node = chance.randrange(len(doors)) if home is None else home
            try:
                await self._operate(chance, node, doors[node])
            except (*FAILURES, *DOWN):
                self.ledger.failed()
                await asyncio.sleep(PAUSE_AFTER_FAILURE_S)
        for connection in doors:
            connection.close()

    async def _operate(self, chance: random.Random, node: int, door: Connection) -> None:
        dice = chance.random()
        hot = max(1, int(self.load.registers * HOT_SHARE))
        is_hot = chance.random() < HOT_READS
        register = chance.randrange(hot if is_hot else self.load.registers)
        if dice < DIRECT_SHARE:
            await self.write(register, move=chance.random() < MOVE_SHARE)
        elif dice < DIRECT_SHARE + THROUGH_SHARE:
            if self.writes_through:
                await self._write_through(door, register)
        elif dice < DIRECT_SHARE + THROUGH_SHARE + PAGE_SHARE:
            await self._read_page(node, door, chance.randrange(self.load.pages))
        else:
            await self.read(node, door, register, is_hot=register < hot)

    async def write(self, register: int, *, move: bool) -> int:
        """Make a version in PostgreSQL, which nobody is told of but by PostgreSQL."""
        page = "(page + 1) %% %s" if move else "page + 0 * %s"
        rows = await self.database.run(
            f"UPDATE registers SET version = version + 1, page = {page} WHERE id = %s RETURNING version",
            self.load.pages,
            register,
        )
        self.ledger.committed(register, rows[0][0])
        return rows[0][0]

    async def _write_through(self, door: Connection, register: int) -> None:
        reply = await door.ask("PUT", f"/r/{register}", b"{}", timeout_s=GIVE_UP_S)
        if reply.status != 200:
            self.ledger.failed()
            return
        version = int(reply.body.partition(b"=")[2])
        self.ledger.wrote(register, version)
        self.ledger.committed(register, version)

    async def _read_page(self, node: int, door: Connection, page: int) -> None:
        floor = dict(enumerate(self.ledger.floor()))
        path = f"/page/{page}"
        reply = await door.ask("GET", path, timeout_s=GIVE_UP_S)
        if reply.status != 200:
            self.ledger.failed()
            return
        self.ledger.judge(self._world.nodes[node].name, path, floor, reply.body, reply.cache_status)

    async def read(self, node: int, door: Connection, register: int, *, is_hot: bool = False) -> int | None:
        """Read a register and judge what came; its version."""
        floor = self.ledger.floor_of_register(register)
        path = f"/r/{register}"
        reply = await door.ask("GET", path, timeout_s=GIVE_UP_S)
        if reply.status != 200:
            self.ledger.failed()
            return None
        self.ledger.judge(self._world.nodes[node].name, path, floor, reply.body, reply.cache_status)
        self.ledger.hot_reads += is_hot
        self.ledger.hot_hits += is_hot and "hit" in reply.cache_status
        return int(reply.body.partition(b"=")[2])

    async def read_sleepers(self) -> None:
        """Read each sleeping register through each node: what is old in a store shows, or is stored now."""
        for node, place in enumerate(self._world.nodes):
            door = Connection(place.port)
            for register in self._sleepers:
                try:
                    await self.read(node, door, register)
                except FAILURES:
                    self.ledger.failed()
            door.close()

    async def write_sleepers(self) -> None:
        """Commit a version of each sleeping register, one after the other."""
        for register in self._sleepers:
            try:
                await self.write(register, move=False)
            except DOWN:
                self.ledger.failed()
            await asyncio.sleep(BETWEEN_SLEEPERS_S)

    async def probe_lag(self) -> None:
        """Commit, and ask the node that does not read the source until it shows the commit, over and over."""
        register = self.load.registers  # one that nobody else writes
        doors = [Connection(node.port) for node in self._world.nodes]
        while not self.stopped:
            await asyncio.sleep(PROBE_EVERY_S)
            node = self._world.other_than_the_reader()
            try:
                await self.read(node, doors[node], register)
                phase, shown = self.ledger.phase, False
                version = await self.write(register, move=False)
                committed_s = began_s = time.perf_counter()
                while not shown and began_s - committed_s < GIVE_UP_S and not self.stopped:
                    began_s = time.perf_counter()
                    shown = (await self.read(node, doors[node], register) or 0) >= version
                if shown:
                    self.lags.add(phase, (began_s - committed_s) * 1000)
            except (*FAILURES, *DOWN):
                self.ledger.failed()
        for connection in doors:
            connection.close()
