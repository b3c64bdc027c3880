"""A connection for a request whose head is ready, and what comes of it."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.origin import OriginConnection, answering
from tests.unit.veneer.upstream.conftest import Bench, pool_for, request
from tests.unit.veneer.upstream.test_pool import HELLO, read
from veneer.core.messages import ResponseHead
from veneer.ports import FirstBytesHandler, UpstreamError, UpstreamFailure
from veneer.upstream.lease import PoolLease


class Desk(FirstBytesHandler):
    """A taker that takes what it is told to take."""

    def __init__(self, *, takes: bool) -> None:
        self.takes = takes
        self.offered: list[bytes] = []
        self.interims: list[int] = []
        self.passed = 0
        self.happened = asyncio.Event()

    def take(self, raw: bytes) -> bool:
        self.offered.append(raw)
        self.happened.set()
        return self.takes

    def pass_on(self) -> None:
        self.passed += 1
        self.happened.set()

    def interim(self, head: ResponseHead) -> None:
        self.interims.append(head.status)


async def leased(bench: Bench) -> PoolLease:
    """A lease of a connection that has carried one exchange."""
    assert bench.pool.lease_now(bench.clock.monotonic()) is None
    await read(await bench.pool.exchange(request(), None))
    lease = bench.pool.lease_now(bench.clock.monotonic())
    assert lease is not None
    assert bench.pool.lease_now(bench.clock.monotonic()) is None
    return lease


async def test_a_response_that_is_taken_leaves_the_connection_free() -> None:
    async with pool_for(answering(HELLO)) as bench:
        lease, desk = await leased(bench), Desk(takes=True)
        head = bench.pool.head_bytes(request("GET", "/b"))
        lease.send(head, desk, None)
        await desk.happened.wait()
        assert (desk.offered, desk.passed) == ([HELLO], 0)
        assert bench.origin.heads[1] == head
        again = bench.pool.lease_now(bench.clock.monotonic())
        assert again is not None
        again.give_back()
        assert await read(await bench.pool.exchange(request(), None)) == b"hello"
        assert len(bench.origin.connections) == 1


async def test_a_response_that_is_not_taken_is_read_as_any_other() -> None:
    async with pool_for(answering(HELLO)) as bench:
        lease, desk = await leased(bench), Desk(takes=False)
        lease.send(bench.pool.head_bytes(request()), desk, None)
        await desk.happened.wait()
        assert await read(await lease.response(desk.interim)) == b"hello"
        assert (desk.offered, desk.passed) == ([HELLO], 1)
        assert len(bench.origin.connections) == 1


async def test_a_connection_that_was_idle_for_too_long_is_not_leased() -> None:
    async with pool_for(answering(HELLO), keepalive_s=4.5) as bench:
        await read(await bench.pool.exchange(request(), None))
        assert bench.pool.lease_now(bench.clock.monotonic() + 4.5) is None
        assert bench.pool.open_connections == 0


async def test_only_the_first_bytes_are_offered() -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(HELLO)
        await connection.request_head()
        for piece in (HELLO[:20], HELLO[20:]):
            await connection.send(piece)
            await asyncio.sleep(0.02)

    async with pool_for(script) as bench:
        lease, desk = await leased(bench), Desk(takes=False)
        lease.send(bench.pool.head_bytes(request()), desk, None)
        assert await read(await lease.response(desk.interim)) == b"hello"
        assert (desk.offered, desk.passed) == ([HELLO[:20]], 1)


async def test_interim_responses_are_handed_on() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"

    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(HELLO)
        await connection.request_head()
        await connection.send(early + HELLO)

    async with pool_for(script) as bench:
        lease, desk = await leased(bench), Desk(takes=False)
        lease.send(bench.pool.head_bytes(request()), desk, None)
        assert await read(await lease.response(desk.interim)) == b"hello"
        assert desk.interims == [103]


async def test_a_connection_that_dies_unanswered_is_tried_once_more() -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(HELLO)
        await connection.request_head()

    async with pool_for(script) as bench:
        lease, desk = await leased(bench), Desk(takes=True)
        lease.send(bench.pool.head_bytes(request("GET", "/b")), desk, None)
        await desk.happened.wait()
        assert await read(await lease.response(desk.interim)) == b"hello"
        assert (desk.offered, desk.passed) == ([], 1)
        assert [head.partition(b" HTTP")[0] for head in bench.origin.heads] == [b"GET /", b"GET /b", b"GET /b"]


async def test_a_response_that_breaks_off_is_an_error() -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(HELLO)
        await connection.request_head()
        await connection.send(HELLO[:20])

    async with pool_for(script) as bench:
        lease, desk = await leased(bench), Desk(takes=False)
        lease.send(bench.pool.head_bytes(request()), desk, None)
        with pytest.raises(UpstreamError) as caught:
            await lease.response(desk.interim)
        assert caught.value.failure is UpstreamFailure.RESET


async def test_silence_is_bounded_as_the_route_wishes() -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(HELLO)
        await connection.request_head()
        await connection.closed_by_peer()

    async with pool_for(script) as bench:
        lease, desk = await leased(bench), Desk(takes=True)
        lease.send(bench.pool.head_bytes(request()), desk, 0.05)
        with pytest.raises(UpstreamError) as caught:
            await lease.response(desk.interim)
        assert caught.value.failure is UpstreamFailure.READ_TIMEOUT
        assert desk.passed == 1


async def test_an_exchange_may_be_given_up() -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(HELLO)
        while True:
            await connection.request_head()

    async with pool_for(script, max_connections=1, pool_timeout_s=0.05) as bench:
        lease, desk = await leased(bench), Desk(takes=True)
        lease.send(bench.pool.head_bytes(request()), desk, None)
        lease.abort()
        assert desk.passed == 1
        with pytest.raises(UpstreamError):
            await asyncio.wait_for(lease.response(desk.interim), 5)
