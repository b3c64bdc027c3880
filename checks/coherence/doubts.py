"""Writes in doubt: late commits, lost answers, nodes that are stopped in the middle; and reads that must not be older.

Once the client of such a write has been answered, or its connection closed, a read has to reach what the backend had
committed before the read began: the backend itself is asked for that.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random

from checks.coherence.clients import FAILURES
from checks.coherence.http import Connection
from checks.coherence.ledger import Ledger
from checks.coherence.world import World

WATCHED_S = 3.5
EACH_S = 0.02
AT_ONCE = 8
_numbers = itertools.count()


async def write_in_doubt(world: World, ledger: Ledger, mode: str, through: int, readers: tuple[int, ...]) -> None:
    """Write a few registers through a node, so that the outcome is open, and read them until it has settled."""
    numbers = [next(_numbers) % world.doubtful for _ in range(AT_ONCE)]
    await asyncio.gather(*(_one(world, ledger, mode, number, through, readers) for number in numbers))


async def _one(world: World, ledger: Ledger, mode: str, number: int, through: int, readers: tuple[int, ...]) -> None:
    doors = {node: Connection(world.nodes[node].port) for node in {through, *readers}}
    backend = Connection(world.backend_port)
    try:
        for node in readers:
            await _read(world, ledger, backend, doors[node], node, number)
        with contextlib.suppress(*FAILURES):  # nobody knows what became of it: that is the point
            await doors[through].ask("PUT", f"/d/{number}?{mode}")
        clock = asyncio.get_running_loop()
        until = clock.time() + WATCHED_S
        while clock.time() < until:
            node = random.choice(readers)
            await _read(world, ledger, backend, doors[node], node, number)
            await asyncio.sleep(EACH_S)
    finally:
        for connection in (*doors.values(), backend):
            connection.close()


async def _read(world: World, ledger: Ledger, backend: Connection, door: Connection, node: int, number: int) -> None:
    path = f"/d/{number}"
    try:
        committed = int((await backend.ask("GET", f"{path}?committed")).body.partition(b"=")[2])
        reply = await door.ask("GET", path)
    except FAILURES:
        ledger.failed()
        return
    if reply.status != 200:
        ledger.failed()
        return
    ledger.judge(world.nodes[node].name, path, {number: committed}, reply.body, reply.cache_status)
