"""The backend's end of a tunnel: its silence, its stop and its end."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.origin import OriginConnection
from tests.unit.veneer.upstream.conftest import Bench, pool_for, request
from veneer.ports import UpstreamError, UpstreamFailure
from veneer.upstream.tunnel import BackendTunnel


async def tunnel_of(bench: Bench) -> BackendTunnel:
    response = await bench.pool.exchange(request("GET", "/", ("Upgrade", "chat")), None)
    assert response.tunnel is not None
    return response.tunnel


SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\n\r\n"


async def test_a_tunnel_may_be_silent_for_longer_than_a_response() -> None:
    """The clock of a later request that begins after the switch runs out first."""
    go_on = asyncio.Event()

    async def script(connection: OriginConnection) -> None:
        head = await connection.request_head()
        if b"Upgrade" not in head:
            await connection.closed_by_peer()
            return
        await connection.send(SWITCHED)
        await go_on.wait()
        await connection.send(b"at last")

    async with pool_for(script, read_timeout_s=0.02) as bench:
        tunnel = await tunnel_of(bench)
        with pytest.raises(UpstreamError) as caught:
            await bench.pool.exchange(request(), None)
        assert caught.value.failure is UpstreamFailure.READ_TIMEOUT
        go_on.set()
        assert await tunnel.read() == b"at last"
        await tunnel.aclose()


async def test_a_tunnel_that_is_stopped_gives_what_had_come_and_tells_the_backend_the_end() -> None:
    heard = asyncio.Event()

    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(SWITCHED + b"before")
        assert await connection.reader.readexactly(5) == b"hello"
        heard.set()
        assert await connection.reader.read() == b" you"
        await connection.send(b"too late")

    async with pool_for(script) as bench:
        tunnel = await tunnel_of(bench)
        await tunnel.write(b"hello")
        await asyncio.wait_for(heard.wait(), 5)
        tunnel.stop()
        assert await tunnel.read() == b"before"
        assert await tunnel.read() == b""
        await tunnel.write(b" you")
        await tunnel.end()
        await tunnel.write(b"nobody hears this")
        await tunnel.aclose()
    assert not bench.origin.errors


async def test_a_reader_of_a_tunnel_is_woken_by_a_stop() -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(SWITCHED)
        await connection.closed_by_peer()

    async with pool_for(script) as bench:
        tunnel = await tunnel_of(bench)
        asyncio.get_running_loop().call_soon(tunnel.stop)
        assert await asyncio.wait_for(tunnel.read(), 5) == b""
        await tunnel.aclose()
