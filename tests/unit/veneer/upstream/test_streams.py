"""What lasts has a bound and a clock of its own, and takes no place from requests."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.origin import OriginConnection, Script
from tests.unit.veneer.upstream.conftest import pool_for, request
from veneer.core.fields import Pair
from veneer.ports import UpstreamError, UpstreamFailure

EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n6\r\ndata:\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\n\r\n"
CHAT: Pair = ("Upgrade", "chat")


def serving(go_on: asyncio.Event) -> Script:
    """/events begin, and go on when told to; an Upgrade switches; /never is not answered; all else is."""

    async def script(connection: OriginConnection) -> None:
        while True:
            try:
                head = await connection.request_head()
            except asyncio.IncompleteReadError:
                return
            if b" /never " in head:
                await connection.closed_by_peer()
                return
            if b"Upgrade" in head:
                await connection.send(SWITCHED)
                await connection.closed_by_peer()
                return
            if b" /events " in head:
                await connection.send(EVENTS)
                await go_on.wait()
                await connection.send(b"4\r\nmore\r\n0\r\n\r\n")
            else:
                await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    return script


@pytest.mark.parametrize("fields", [(), (CHAT,)])
async def test_what_lasts_leaves_its_place_to_a_request(fields: tuple[Pair, ...]) -> None:
    async with pool_for(serving(asyncio.Event()), max_connections=1, pool_timeout_s=5.0) as bench:
        lasting = await bench.pool.exchange(request("GET", "/events", *fields), None)
        assert bench.pool.open_connections == 1
        async with asyncio.timeout(2):
            answer = await bench.pool.exchange(request(), None)
        assert [piece async for piece in answer.body()] == [b"ok"]
        assert bench.pool.open_connections == 2
        await lasting.aclose()
        if lasting.tunnel is not None:
            lasting.tunnel.cut()
        assert bench.pool.open_connections == 1


async def test_who_waits_for_a_place_gets_that_of_a_stream_that_begins() -> None:
    go_on = asyncio.Event()
    async with pool_for(serving(go_on), max_connections=1) as bench:
        first, second = await asyncio.gather(
            bench.pool.exchange(request("GET", "/events"), None), bench.pool.exchange(request(), None)
        )
        await second.aclose()
        await first.aclose()


async def test_beyond_their_bound_streams_are_refused_and_requests_are_not() -> None:
    async with pool_for(serving(asyncio.Event()), max_streams=1) as bench:
        first = await bench.pool.exchange(request("GET", "/events"), None)
        for fields in ((), (CHAT,)):
            with pytest.raises(UpstreamError) as caught:
                await bench.pool.exchange(request("GET", "/events", *fields), None)
            assert caught.value.failure is UpstreamFailure.STREAMS_FULL
            assert caught.value.sent
        await (await bench.pool.exchange(request(), None)).aclose()
        await first.aclose()
        again = await bench.pool.exchange(request("GET", "/events"), None)
        await again.aclose()


async def test_a_stream_may_be_silent_for_longer_than_what_comes_before_it() -> None:
    """The clock of a request that begins later runs out first."""
    go_on = asyncio.Event()
    async with pool_for(serving(go_on), read_timeout_s=0.05) as bench:
        stream = await bench.pool.exchange(request("GET", "/events"), None)
        with pytest.raises(UpstreamError) as caught:
            await bench.pool.exchange(request("GET", "/never"), None)
        assert caught.value.failure is UpstreamFailure.READ_TIMEOUT
        go_on.set()
        assert b"".join([piece async for piece in stream.body()]) == b"data:\nmore"


async def test_a_stream_that_is_silent_for_too_long_is_cut() -> None:
    async with pool_for(serving(asyncio.Event()), read_timeout_s=0.01, stream_idle_s=0.05) as bench:
        stream = await bench.pool.exchange(request("GET", "/events"), None)
        with pytest.raises(UpstreamError) as caught:
            async for _ in stream.body():
                pass
        assert caught.value.failure is UpstreamFailure.READ_TIMEOUT


async def test_the_next_exchange_on_a_connection_has_the_usual_clock() -> None:
    """A stream's connection is not used again, but an event stream that came whole is no stream."""

    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 2\r\n\r\n"
        await connection.send(head + b"ok")
        await connection.request_head()
        await connection.closed_by_peer()

    async with pool_for(script, read_timeout_s=0.05, max_streams=0) as bench:
        await (await bench.pool.exchange(request("GET", "/events"), None)).aclose()
        with pytest.raises(UpstreamError) as caught:
            await bench.pool.exchange(request(), None)
        assert caught.value.failure is UpstreamFailure.READ_TIMEOUT
