"""Requests that are sent again, as the backend ended their connection before any answer: it is full, or has died."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.support.origin import OriginConnection
from tests.unit.veneer.upstream.conftest import Bench, pool_for, request
from veneer.core.connection_bound import LEAST, SOON_S
from veneer.core.overload import Claim
from veneer.core.retry_budget import RetryWrites
from veneer.http1.serialise import WrittenHead
from veneer.ports import Demand, UpstreamError, UpstreamFailure
from veneer.upstream.outgoing import MOST_SENDS, Outgoing
from veneer.upstream.waiting import Wanted

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
ROOM = LEAST + 2


class Full:
    """A backend that closes what is more than ROOM connections, and answers when it is let."""

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.open = self.turned_away = 0

    async def script(self, connection: OriginConnection) -> None:
        if self.open >= ROOM:
            self.turned_away += 1
            connection.reset()
            return
        self.open += 1
        try:
            while True:
                await connection.request_head()
                await self.let.wait()
                await connection.send(HELLO)
        finally:
            self.open -= 1


async def outcome(
    bench: Bench, method: str = "GET", demand: Demand | None = None, path: str = "/"
) -> int | UpstreamError:
    body = None if method == "GET" else b"abc"
    fields = [] if body is None else [("Content-Length", "3")]
    try:
        response = await bench.pool.exchange(request(method, path, *fields), body, demand=demand)
    except UpstreamError as error:
        return error
    await response.aclose()
    return response.head.status


async def until(there: Callable[[], bool]) -> None:
    for _ in range(2_000):
        if there():
            return
        await asyncio.sleep(0.005)
    pytest.fail("it does not come to that")


async def test_what_a_full_backend_closes_waits_for_a_connection(caplog: pytest.LogCaptureFixture) -> None:
    full = Full()
    async with pool_for(full.script, refused_s=1.0) as bench:
        for turned_away in (3, 0):  # the second time it is known
            async with asyncio.TaskGroup() as group:
                asking = [group.create_task(outcome(bench)) for _ in range(ROOM)]
                await until(lambda: len(bench.origin.heads) % (ROOM + 3) == ROOM)
                before = full.turned_away
                asking += [group.create_task(outcome(bench)) for _ in range(3)]
                await until(lambda: bench.pool.load().waiting == 3)
                assert full.turned_away - before == turned_away
                assert bench.pool.load().connections == ROOM
                full.let.set()
                assert await asyncio.gather(*asking) == [200] * (ROOM + 3)
                full.let.clear()
        assert full.turned_away == 3
        assert bench.pool.load().max_connections == ROOM
    told = [record for record in caplog.records if "closes new connections" in record.getMessage()]
    assert len(told) == 1
    assert f"no more than {ROOM}" in told[0].getMessage()


async def test_what_may_not_be_sent_twice_fails_as_before() -> None:
    full = Full()
    async with pool_for(full.script, refused_s=1.0) as bench, asyncio.TaskGroup() as group:
        asking = [group.create_task(outcome(bench)) for _ in range(ROOM)]
        await until(lambda: full.open == ROOM)
        error = await outcome(bench, "POST")
        assert isinstance(error, UpstreamError)
        assert (error.failure, error.sent) == (UpstreamFailure.RESET, True)
        again = group.create_task(outcome(bench, "POST", Demand(Claim(retry_writes=RetryWrites.ALWAYS))))
        await until(lambda: bench.pool.load().waiting == 1)
        full.let.set()
        assert await asyncio.gather(*asking, again) == [200] * (ROOM + 1)


async def test_where_that_is_switched_off_nothing_is_sent_again() -> None:
    full = Full()
    async with pool_for(full.script, refused_s=0.0) as bench, asyncio.TaskGroup() as group:
        asking = [group.create_task(outcome(bench)) for _ in range(ROOM)]
        await until(lambda: full.open == ROOM)
        assert isinstance(await outcome(bench), UpstreamError)
        assert full.turned_away == 1
        full.let.set()
        assert await asyncio.gather(*asking) == [200] * ROOM


@pytest.mark.parametrize("others", [0, ROOM])
async def test_a_request_that_makes_its_backend_die_is_to_blame_itself(others: int) -> None:
    async def script(connection: OriginConnection) -> None:
        while b"GET /dies " not in await connection.request_head():
            await connection.send(HELLO)
        connection.reset()

    async with pool_for(script, refused_s=1.0) as bench, asyncio.TaskGroup() as group:
        asking = [group.create_task(outcome(bench)) for _ in range(others)]
        assert await asyncio.gather(*asking) == [200] * others
        error = await outcome(bench, path="/dies")
        assert isinstance(error, UpstreamError)
        assert error.failure is UpstreamFailure.RESET
        deaths = [head for head in bench.origin.heads if b"GET /dies " in head]
        assert len(deaths) == (MOST_SENDS if others else 1)
        assert await asyncio.gather(*[group.create_task(outcome(bench)) for _ in range(2 * ROOM)]) == [200] * 2 * ROOM
        assert bench.pool.load().connections > ROOM, "nothing was learnt from that"


def test_one_is_sent_thrice_at_most() -> None:
    outgoing = Outgoing(WrittenHead(b""), repeatable=True)
    error = UpstreamError(UpstreamFailure.RESET, "closed", sent=True)
    assert outgoing.repeats(error, Wanted.NEW)
    assert (outgoing.wanted, outgoing.was_sent) == (Wanted.NEW, True)
    assert outgoing.repeats(error, Wanted.USED)
    assert outgoing.wanted is Wanted.USED
    assert not outgoing.repeats(error, Wanted.USED)


def test_what_was_not_sent_may_be_sent_whatever_it_is() -> None:
    outgoing = Outgoing(WrittenHead(b""))
    assert outgoing.repeats(UpstreamError(UpstreamFailure.RESET, "closed", sent=False), Wanted.NEW)
    assert not outgoing.was_sent
    assert not outgoing.repeats(UpstreamError(UpstreamFailure.RESET, "closed", sent=True), Wanted.NEW)


async def test_what_was_worked_at_for_a_while_is_not_begun_again() -> None:
    full = Full()
    async with pool_for(full.script, refused_s=1.0) as bench, asyncio.TaskGroup() as group:
        asking = [group.create_task(outcome(bench)) for _ in range(ROOM)]
        await until(lambda: len(bench.origin.heads) == ROOM)
        bench.clock.advance(SOON_S)
        for connection in bench.origin.connections:
            connection.reset()
        ends = await asyncio.gather(*asking)
        assert {end.failure for end in ends if isinstance(end, UpstreamError)} == {UpstreamFailure.RESET}
        assert len(bench.origin.heads) == ROOM


async def test_who_has_left_is_not_sent_again() -> None:
    full, demand = Full(), Demand()
    async with pool_for(full.script, refused_s=1.0) as bench, asyncio.TaskGroup() as group:
        asking = [group.create_task(outcome(bench)) for _ in range(ROOM)]
        await until(lambda: full.open == ROOM)
        demand.asker_left()
        assert isinstance(await outcome(bench, "GET", demand), UpstreamError)
        assert full.turned_away == 1
        full.let.set()
        assert await asyncio.gather(*asking) == [200] * ROOM
