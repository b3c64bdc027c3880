"""Two nodes on a real Redis whose clocks differ by an hour: what one stores is as old at the other as it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from devstack.redis import RedisServer
from tests.support.entries import RULES, get, stored
from tests.support.shared_log import until
from veneer.core.freshness import freshness
from veneer.loop.clock import SystemClock
from veneer.loop.tasks import Tasks
from veneer.ports import LeaseState
from veneer.stores.assemble import Stores, redis_stores


class ShiftedClock(SystemClock):
    """The date of a node whose clock is wrong."""

    def __init__(self, ahead_s: float) -> None:
        self._ahead_s = ahead_s

    def now(self) -> float:
        return super().now() + self._ahead_s


async def started(url: str, clock: ShiftedClock, tasks: Tasks) -> Stores:
    stores = redis_stores(url, clock, tasks)
    await stores.start()
    await until(lambda: stores.log.lease_state() is LeaseState.HELD)
    return stores


@pytest.mark.parametrize(("writer_s", "reader_s"), [(3600.0, 0.0), (-3600.0, 0.0), (0.0, 3600.0), (0.0, -3600.0)])
async def test_what_a_node_with_a_wrong_clock_stores_is_as_old_elsewhere_as_it_is(
    writer_s: float, reader_s: float, redis_server: RedisServer, redis_url: str
) -> None:
    tasks, clocks = Tasks(), [ShiftedClock(writer_s), ShiftedClock(reader_s)]
    writer, reader = [await started(redis_url, clock, tasks) for clock in clocks]
    assert writer.shared is not None
    received = clocks[0].now()
    entry = replace(stored(writer.log.position, received=received), request_time=received)
    await writer.store.put("a", entry, 600)
    await writer.shared.settled()
    (seen,) = await reader.store.lookup("a", get(), RULES)
    now = clocks[1].now()
    standing = freshness(seen, RULES, now)
    assert 0 <= standing.age_s < 30, "it came just now"
    assert not freshness(seen, RULES, now + 61).ttl_s > 0, "max-age=60, and no second longer"
    for stores in (writer, reader):
        await stores.aclose()
    await tasks.aclose()
