"""What goes wrong, one kind at a time. Each fault is done and undone once; a phase repeats it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from checks.coherence.clients import Clients
from checks.coherence.doubts import write_in_doubt
from checks.coherence.world import FAR, World

Fault = Callable[[World, Clients], Awaitable[None]]
PROBES = 40
STOPPED, KILLED = 0, 1


async def nothing(_world: World, _clients: Clients) -> None:
    """No fault: slow answers of the backend straddle writes all the same."""
    await asyncio.sleep(1.0)


async def stop_and_continue(world: World, clients: Clients) -> None:
    """A node is stopped for longer than its lease; reads that reach it meanwhile are answered when it goes on."""
    node = world.nodes[STOPPED]
    node.freeze()
    try:
        await asyncio.sleep(2.6)
        late = asyncio.gather(*(clients.probe(STOPPED, PROBES) for _ in range(2)))
        await asyncio.sleep(0.3)
    finally:
        node.thaw()
    await late
    await asyncio.sleep(0.7)


async def stop_briefly(world: World, clients: Clients) -> None:
    """A node is stopped for less than its lease: writers wait for it."""
    node = world.nodes[STOPPED]
    node.freeze()
    try:
        await asyncio.sleep(0.8)
        late = asyncio.gather(clients.probe(STOPPED, PROBES))
        await asyncio.sleep(0.1)
    finally:
        node.thaw()
    await late
    await asyncio.sleep(0.3)


async def kill_and_restart_node(world: World, _clients: Clients) -> None:
    """A node is killed and comes back empty."""
    node = world.nodes[KILLED]
    await asyncio.to_thread(node.process.kill)
    await asyncio.sleep(0.5)
    await asyncio.to_thread(node.start)
    await asyncio.sleep(0.5)


async def restart_redis(world: World, _clients: Clients) -> None:
    """Redis crashes and comes back with its data."""
    await asyncio.to_thread(world.redis.kill)
    await asyncio.to_thread(world.redis.restart)
    await asyncio.sleep(2.5)


async def wipe_redis(world: World, _clients: Clients) -> None:
    """Redis crashes and comes back empty."""
    await asyncio.to_thread(world.redis.kill)
    await asyncio.to_thread(lambda: world.redis.restart(wipe=True))
    await asyncio.sleep(2.5)


async def flush_redis(world: World, _clients: Clients) -> None:
    """All keys are deleted while everything runs."""
    await asyncio.to_thread(world.redis_command, "FLUSHALL")
    await asyncio.sleep(2.5)


async def kill_connections(world: World, _clients: Clients) -> None:
    """Redis closes every connection."""
    await asyncio.to_thread(world.redis_command, "CLIENT", "KILL", "TYPE", "normal")
    await asyncio.sleep(0.3)


async def pause_clients(world: World, _clients: Clients) -> None:
    """Redis answers nobody, for less and for more than a lease."""
    for pause_ms in (700, 2600):
        await asyncio.to_thread(world.redis_command, "CLIENT", "PAUSE", pause_ms)
        await asyncio.sleep(pause_ms / 1000 + 0.7)


async def cut_node_off(world: World, clients: Clients) -> None:
    """One node's connections to Redis are reset, and refused."""
    await world.relay("cut")
    await asyncio.sleep(2.6)
    await clients.probe(FAR, PROBES)
    await world.relay("mend")
    await asyncio.sleep(0.7)


async def lose_the_route(world: World, clients: Clients) -> None:
    """One node's packets to and from Redis go nowhere, then arrive all at once."""
    await world.relay("hold")
    await asyncio.sleep(2.6)
    await clients.probe(FAR, PROBES)
    await world.relay("mend")
    await asyncio.sleep(0.7)


async def slow_the_route(world: World, _clients: Clients) -> None:
    """One node is far from Redis."""
    await world.relay("delay 0.06")
    await asyncio.sleep(2.0)
    await world.relay("delay 0")
    await asyncio.sleep(0.3)


async def trim_the_log(world: World, _clients: Clients) -> None:
    """The log loses its past while one node is not listening, and then all of it."""
    await world.relay("hold")
    await asyncio.sleep(0.6)
    await asyncio.to_thread(world.redis_command, "XTRIM", "{veneer}:log", "MAXLEN", 1)
    await world.relay("mend")
    await asyncio.sleep(0.6)
    await asyncio.to_thread(world.redis_command, "XTRIM", "{veneer}:log", "MAXLEN", 0)
    await asyncio.sleep(2.5)


async def commit_late(world: World, clients: Clients) -> None:
    """Writes are committed after the nodes have given them up."""
    await write_in_doubt(world, clients.ledger, "late", 0, (0, 1, 2))


async def lose_the_answer(world: World, clients: Clients) -> None:
    """Writes are committed, and their answers lost or turned into an error."""
    for mode in ("lost", "error"):
        await write_in_doubt(world, clients.ledger, mode, 0, (0, 1, 2))


async def stop_in_the_middle(world: World, clients: Clients) -> None:
    """A node is stopped in order while it has sent writes that take longer than it may wait for them."""
    node = world.nodes[KILLED]
    writing = asyncio.gather(write_in_doubt(world, clients.ledger, "late", KILLED, (0, 2)))
    await asyncio.sleep(0.3)
    await asyncio.to_thread(node.process.stop)
    await writing
    await asyncio.to_thread(node.start)


FAULTS: dict[str, Fault] = {
    "no fault": nothing,
    "node stopped": stop_and_continue,
    "node stopped briefly": stop_briefly,
    "node killed": kill_and_restart_node,
    "redis restarted": restart_redis,
    "redis wiped": wipe_redis,
    "redis flushed": flush_redis,
    "connections killed": kill_connections,
    "clients paused": pause_clients,
    "node cut off": cut_node_off,
    "route lost": lose_the_route,
    "route slow": slow_the_route,
    "log trimmed": trim_the_log,
    "write late": commit_late,
    "answer lost": lose_the_answer,
    "stopped mid-write": stop_in_the_middle,
}

STRUCK = {
    "node stopped": STOPPED,
    "node stopped briefly": STOPPED,
    "node killed": KILLED,
    "node cut off": FAR,
    "route lost": FAR,
    "route slow": FAR,
    "log trimmed": FAR,
    "stopped mid-write": KILLED,
}
"""Which node a fault strikes, where it strikes one."""
