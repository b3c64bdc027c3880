"""What goes wrong between a database and the nodes, one kind at a time; a phase repeats its fault."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from checks.coherence.changes.clients import Crowd
from checks.coherence.changes.database import DOWN
from checks.coherence.changes.world import MAX_LAG_S, ChangesWorld

Fault = Callable[[ChangesWorld, Crowd], Awaitable[None]]
CALM_S = 1.5
TOUCHED = 5


async def nothing(_world: ChangesWorld, _crowd: Crowd) -> None:
    """No fault: slow answers of the backend straddle commits all the same."""
    await asyncio.sleep(1.0)


async def kill_reader(world: ChangesWorld, _crowd: Crowd) -> None:
    """The node that reads is killed; the other one takes over, and the killed one comes back empty."""
    number = await asyncio.to_thread(world.reader)
    node = world.nodes[number or 0]
    await asyncio.to_thread(node.process.kill)
    await asyncio.sleep(MAX_LAG_S + 1.0)
    await asyncio.to_thread(node.start)
    await asyncio.sleep(CALM_S)


async def kill_reader_with_changes_in_hand(world: ChangesWorld, crowd: Crowd) -> None:
    """The same right after commits, first with a Redis that takes everything, then with one that takes nothing."""
    for paused_ms in (0, 1700):
        number = await asyncio.to_thread(world.reader)
        node = world.nodes[number or 0]
        await crowd.read_sleepers()
        if paused_ms:
            await asyncio.to_thread(world.redis_command, "CLIENT", "PAUSE", paused_ms, "WRITE")
        await crowd.write_sleepers()
        await asyncio.sleep(1.0 if paused_ms else 0.3)
        await asyncio.to_thread(node.process.kill)
        await asyncio.sleep(MAX_LAG_S + 1.0)
        await asyncio.to_thread(node.start)
        await asyncio.sleep(CALM_S)
        await crowd.read_sleepers()


async def stop_reader(world: ChangesWorld, _crowd: Crowd) -> None:
    """The node that reads is stopped for longer than its lease, and goes on believing that it reads."""
    number = await asyncio.to_thread(world.reader)
    node = world.nodes[number or 0]
    node.freeze()
    try:
        await asyncio.sleep(MAX_LAG_S + 1.0)
    finally:
        node.thaw()
    await asyncio.sleep(CALM_S)


async def cut_replication(world: ChangesWorld, _crowd: Crowd) -> None:
    """PostgreSQL closes the replication connection."""
    await asyncio.sleep(0.2)
    await asyncio.to_thread(world.cut_replication)
    await asyncio.sleep(MAX_LAG_S)


async def hold_replication(world: ChangesWorld, _crowd: Crowd) -> None:
    """PostgreSQL takes commits, and sends none of them for longer than a source may lag."""
    await asyncio.to_thread(world.hold_replication, 1.5 * MAX_LAG_S)
    await asyncio.sleep(CALM_S)


async def restart_postgres(world: ChangesWorld, _crowd: Crowd) -> None:
    """PostgreSQL is restarted in order."""
    await asyncio.to_thread(lambda: world.restart_postgres(crash=False))
    await asyncio.sleep(CALM_S)


async def crash_postgres(world: ChangesWorld, _crowd: Crowd) -> None:
    """PostgreSQL is killed, and recovers."""
    await asyncio.to_thread(lambda: world.restart_postgres(crash=True))
    await asyncio.sleep(CALM_S)


async def drop_slot(world: ChangesWorld, _crowd: Crowd) -> None:
    """Somebody drops the slot: what was committed until there is another one is told by none."""
    await asyncio.sleep(0.2)
    await asyncio.to_thread(world.drop_slot)
    await asyncio.sleep(MAX_LAG_S + CALM_S)


async def restart_redis(world: ChangesWorld, _crowd: Crowd) -> None:
    """Redis crashes and comes back with its data."""
    await asyncio.to_thread(world.redis.kill)
    await asyncio.sleep(0.5)
    await asyncio.to_thread(world.redis.restart)
    await asyncio.sleep(MAX_LAG_S + CALM_S)


async def flush_redis(world: ChangesWorld, _crowd: Crowd) -> None:
    """Redis forgets everything, positions and claims too."""
    await asyncio.to_thread(world.redis_command, "FLUSHALL")
    await asyncio.sleep(MAX_LAG_S + CALM_S)


async def commit_much(world: ChangesWorld, crowd: Crowd) -> None:
    """A transaction changes every row of a long table, and a few registers at its end."""
    touched = [(crowd.load.registers - 1 - n) for n in range(TOUCHED)]
    began_mb = await asyncio.to_thread(world.reader_memory_mb)
    statements = [("UPDATE bulk SET version = version + 1", ())]
    statements += [
        (f"UPDATE registers SET version = version + 1 WHERE id IN ({', '.join(map(str, touched))})", ()),
        (f"SELECT id, version FROM registers WHERE id IN ({', '.join(map(str, touched))})", ()),
    ]
    try:
        rows = await crowd.database.transaction(*statements)
    except DOWN:
        crowd.ledger.failed()
        return
    for register, version in rows:
        crowd.ledger.committed(register, version)
    most_mb = began_mb
    for _ in range(int((MAX_LAG_S + CALM_S) / 0.1)):
        most_mb = max(most_mb, await asyncio.to_thread(world.reader_memory_mb))
        await asyncio.sleep(0.1)
    crowd.bulk_mb.append((began_mb, most_mb))


async def shift_clock(world: ChangesWorld, _crowd: Crowd) -> None:
    """A node's wall clock is an hour ahead, then an hour behind."""
    for seconds in (3600.0, -3600.0, 0.0):
        await asyncio.to_thread(world.shift_clock, 1, seconds)
        await asyncio.sleep(MAX_LAG_S + CALM_S)


FAULTS: dict[str, Fault] = {
    "killed with changes": kill_reader_with_changes_in_hand,
    "no fault": nothing,
    "reader killed": kill_reader,
    "reader stopped": stop_reader,
    "replication cut": cut_replication,
    "replication held": hold_replication,
    "postgres restarted": restart_postgres,
    "postgres crashed": crash_postgres,
    "slot dropped": drop_slot,
    "redis restarted": restart_redis,
    "redis flushed": flush_redis,
    "large transaction": commit_much,
    "clock shifted": shift_clock,
}

UNWRITTEN = frozenset({"killed with changes"})
"""Faults before and while which nobody writes through the nodes.

A lost node that may have had a write under way flushes the others, and that hides what is looked for.
"""
