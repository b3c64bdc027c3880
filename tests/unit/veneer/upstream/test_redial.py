"""Backends that refuse connections for a while, as one does that is restarted."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from tests.support.clock import ManualClock
from tests.support.origin import OriginConnection, answering, running_origin
from tests.unit.veneer.upstream.conftest import request
from veneer.loop.tasks import Tasks
from veneer.ports import Demand, UpstreamError, UpstreamFailure
from veneer.upstream.pool import UpstreamPool
from veneer.upstream.redial import FORGET_S
from veneer.upstream.settings import Endpoint, PoolSettings

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def a_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextlib.asynccontextmanager
async def pool_at(port: int, clock: ManualClock, refused_s: float = 1.0) -> AsyncIterator[UpstreamPool]:
    pool = UpstreamPool(PoolSettings(Endpoint("127.0.0.1", port), refused_s=refused_s), clock, Tasks())
    yield pool
    await pool.aclose()
    await asyncio.sleep(0.01)
    assert pool.open_connections == 0


async def retried(pool: UpstreamPool, times: int) -> None:
    for _ in range(2_000):
        if pool.redialler.attempts >= times:
            return
        await asyncio.sleep(0.005)
    pytest.fail("it is not tried again")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_requests_wait_for_a_backend_that_is_restarted(method: str) -> None:
    port = a_port()
    async with pool_at(port, ManualClock()) as pool, asyncio.TaskGroup() as group:
        asking = [group.create_task(pool.exchange(request(method), None)) for _ in range(20)]
        await retried(pool, 3)
        assert pool.redialler.attempts < 20, "one tries for all"
        async with running_origin(answering(HELLO), at=("127.0.0.1", port)) as origin:
            assert [(await task).head.status for task in asking] == [200] * 20
            assert len(origin.heads) == 20, "each was sent once"


async def test_a_backend_that_stays_away_is_waited_for_once() -> None:
    clock = ManualClock()
    async with pool_at(a_port(), clock) as pool, asyncio.TaskGroup() as later:
        async with asyncio.TaskGroup() as group:
            asking = [group.create_task(failure(pool)) for _ in range(5)]
            await retried(pool, 2)
            clock.advance(1.0)
        assert [task.result() for task in asking] == [(UpstreamFailure.CONNECT, False)] * 5
        attempts = pool.redialler.attempts
        assert await failure(pool) == (UpstreamFailure.CONNECT, False)
        assert pool.redialler.attempts == attempts
        clock.advance(FORGET_S + 1.0)
        again = later.create_task(failure(pool))
        await retried(pool, attempts + 1)
        clock.advance(1.0)
        assert await again == (UpstreamFailure.CONNECT, False)


async def failure(pool: UpstreamPool, demand: Demand | None = None) -> tuple[UpstreamFailure, bool]:
    with pytest.raises(UpstreamError) as caught:
        await pool.exchange(request("POST"), b"", demand=demand)
    return caught.value.failure, caught.value.sent


async def test_nobody_waits_for_it_where_that_is_switched_off() -> None:
    async with pool_at(a_port(), ManualClock(), refused_s=0.0) as pool:
        assert await failure(pool) == (UpstreamFailure.CONNECT, False)
        assert pool.redialler.attempts == 0


async def test_when_the_one_who_tries_leaves_another_goes_on() -> None:
    port, clock = a_port(), ManualClock()
    async with pool_at(port, clock) as pool, asyncio.TaskGroup() as group:
        gone = Demand()
        leaving = group.create_task(failure(pool, gone))
        await retried(pool, 1)
        staying = [group.create_task(pool.exchange(request(), None)) for _ in range(3)]
        gone.asker_left()
        assert await leaving == (UpstreamFailure.ABANDONED, False)
        cancelled = group.create_task(pool.exchange(request(), None))
        await retried(pool, pool.redialler.attempts + 1)
        cancelled.cancel()
        staying[0].cancel()
        async with running_origin(answering(HELLO), at=("127.0.0.1", port)) as origin:
            assert [(await task).head.status for task in staying[1:]] == [200] * 2
            assert len(origin.heads) == 2
        with pytest.raises(asyncio.CancelledError):
            await cancelled


async def test_a_request_that_is_sent_again_waits_as_well() -> None:
    async def once(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(HELLO)
        await connection.request_head()  # and the backend dies

    clock = ManualClock()
    async with asyncio.TaskGroup() as group, running_origin(once) as origin:
        port = int(origin.url.rpartition(":")[2])
        pool = UpstreamPool(PoolSettings(Endpoint("127.0.0.1", port), refused_s=1.0), clock, Tasks())
        await (await pool.exchange(request(), None)).aclose()
        origin.close()
        asking = group.create_task(pool.exchange(request(), None))
        origin.connections[0].reset()
        await retried(pool, 2)
        async with running_origin(answering(HELLO), at=("127.0.0.1", port)):
            assert (await asking).head.status == 200
    await pool.aclose()


async def test_a_wrong_name_is_not_waited_for() -> None:
    settings = PoolSettings(Endpoint("no..name", 80), refused_s=1.0)
    pool = UpstreamPool(settings, ManualClock(), Tasks())
    with pytest.raises(UpstreamError, match="no connection"):
        await pool.exchange(request(), None)
    assert pool.redialler.attempts == 0
