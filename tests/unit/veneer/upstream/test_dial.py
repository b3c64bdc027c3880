"""Ways to a backend: names, addresses, TLS, unix sockets, and the time it may take."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

import pytest
from aiohappyeyeballs import start_connection

from tests.support.clock import ManualClock
from tests.support.origin import OriginConnection, answering, running_origin
from tests.unit.veneer.upstream.conftest import request
from veneer.loop.batched_writes import WriteBatch
from veneer.loop.tasks import Tasks
from veneer.policy.model import UpstreamSettings
from veneer.policy.tls import TlsSettings
from veneer.ports import UpstreamError, UpstreamFailure
from veneer.upstream import dial as dialling
from veneer.upstream.buffer import ReadBuffer
from veneer.upstream.connection import Connection, ConnectionOwner
from veneer.upstream.dial import dial
from veneer.upstream.names import Names
from veneer.upstream.open import pool_settings
from veneer.upstream.pool import UpstreamPool
from veneer.upstream.settings import Endpoint, PoolSettings

CERTIFICATE = Path(__file__).parents[3] / "support" / "localhost.pem"
HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class Nobody(ConnectionOwner):
    """Lets go of connections."""

    def closed(self, connection: Connection) -> None:
        pass

    def released(self, connection: Connection, reusable: bool) -> None:
        pass


class Loop:
    """A loop as far as connecting needs one, with another `sock_connect`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connect: Callable[..., Awaitable[None]]) -> None:
        self._loop = loop
        self.sock_connect = connect

    def __getattr__(self, name: str) -> object:
        return getattr(self._loop, name)


def server_tls() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE)
    return context


async def fetched(settings: PoolSettings) -> bytes:
    pool = UpstreamPool(settings, ManualClock(), Tasks())
    try:
        response = await pool.exchange(request(), None)
        body = b"".join([piece async for piece in response.body()])
        await response.aclose()
        return body
    finally:
        await pool.aclose()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_certificate_that_is_trusted(host: str) -> None:
    async with running_origin(answering(HELLO), tls=server_tls()) as origin:
        endpoint = Endpoint.parse(origin.url.replace("127.0.0.1", host))
        trusting = ssl.create_default_context(cafile=str(CERTIFICATE))
        assert await fetched(PoolSettings(endpoint, tls=trusting)) == b"hello"


async def test_a_certificate_that_is_not_trusted() -> None:
    async with running_origin(answering(HELLO), tls=server_tls()) as origin:
        with pytest.raises(UpstreamError, match="certificate") as caught:
            await fetched(PoolSettings(Endpoint.parse(origin.url)))
        assert caught.value.failure is UpstreamFailure.CONNECT
        assert not caught.value.sent
        assert not origin.heads


async def test_a_body_until_close_over_tls() -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 300_000)

    async with running_origin(script, tls=server_tls()) as origin:
        trusting = ssl.create_default_context(cafile=str(CERTIFICATE))
        assert len(await fetched(PoolSettings(Endpoint.parse(origin.url), tls=trusting))) == 300_000


async def test_a_unix_socket(tmp_path: Path) -> None:
    async with running_origin(answering(HELLO), unix_path=str(tmp_path / "socket")) as origin:
        endpoint = Endpoint.parse(origin.url)
        assert str(endpoint) == origin.url
        assert await fetched(PoolSettings(endpoint)) == b"hello"
    with pytest.raises(UpstreamError) as caught:
        await fetched(PoolSettings(endpoint))
    assert caught.value.failure is UpstreamFailure.CONNECT


async def test_addresses_are_tried_in_order() -> None:
    async with running_origin(answering(HELLO)) as origin:
        settings = PoolSettings(Endpoint.parse(origin.url))
        names = Names(Endpoint("a.test", settings.endpoint.port), ManualClock(), lambda _: ["127.0.0.2", "127.0.0.1"])

        def factory() -> Connection:
            loop = asyncio.get_running_loop()
            return Connection(settings, loop, WriteBatch(loop.call_soon), ReadBuffer(), Nobody())

        connection = await dial(settings, factory, names)
        assert connection.usable()
        assert await names.addresses() == ["127.0.0.1", "127.0.0.2"]
        connection.abort()


async def test_a_silent_address_has_the_next_one_tried_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, tried = asyncio.get_running_loop(), list[str]()
    connect = loop.sock_connect

    async def silent_at_first(sock: socket.socket, address: tuple[str, int]) -> None:
        tried.append(address[0])
        if address[0] == "127.0.0.2":
            await asyncio.Event().wait()
        await connect(sock, address)

    monkeypatch.setattr(dialling, "ATTEMPT_DELAY_S", 0.01)
    async with running_origin(answering(HELLO)) as origin:
        settings = PoolSettings(Endpoint.parse(origin.url), connect_timeout_s=20)
        names = Names(Endpoint("a.test", settings.endpoint.port), ManualClock(), lambda _: ["127.0.0.2", "127.0.0.1"])
        pool = UpstreamPool(replace(settings, max_age_s=0.0), ManualClock(), Tasks(), names)
        with monkeypatch.context() as patch:
            other = cast("asyncio.AbstractEventLoop", Loop(loop, silent_at_first))
            patch.setattr(dialling, "start_connection", partial(start_connection, loop=other))
            for first in ("127.0.0.2", "127.0.0.1"):  # the second time it is known which one answers
                tried.clear()
                response = await pool.exchange(request(), None)
                assert [piece async for piece in response.body()] == [b"hello"]
                assert tried[0] == first
        await pool.aclose()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".invalid"])
async def test_a_name_without_an_address(host: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        await fetched(PoolSettings(Endpoint(host, 1)))
    assert caught.value.failure is UpstreamFailure.CONNECT


async def test_a_connection_that_nobody_answers() -> None:
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):  # fill the backlog, so that the next connection is left waiting
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        endpoint = Endpoint("127.0.0.1", listener.getsockname()[1])
        with pytest.raises(UpstreamError) as caught:
            await fetched(PoolSettings(endpoint, connect_timeout_s=0.05))
        assert caught.value.failure is UpstreamFailure.CONNECT_TIMEOUT
        assert not caught.value.sent


@pytest.mark.parametrize(
    ("url", "authority", "prefix"),
    [
        ("http://api", "api", ""),
        ("http://api:8080/", "api:8080", ""),
        ("https://api:443/v1/", "api", "/v1"),
        ("https://api:80", "api:80", ""),
        ("http://[::1]:80", "[::1]", ""),
        ("unix:/run/api.sock", "localhost", ""),
    ],
)
def test_urls_of_backends(url: str, authority: str, prefix: str) -> None:
    endpoint = Endpoint.parse(url)
    assert (endpoint.authority, endpoint.prefix) == (authority, prefix)


@pytest.mark.parametrize("url", ["api:8080", "ftp://api", "http://", "http://u@api", "http://api?x", "unix:run/api"])
def test_urls_that_are_no_backends(url: str) -> None:
    with pytest.raises(ValueError, match="backend"):
        Endpoint.parse(url)


async def test_files_and_name_of_the_policy_are_those_of_the_connection() -> None:
    demanding = server_tls()
    demanding.load_verify_locations(CERTIFICATE)
    demanding.verify_mode = ssl.CERT_REQUIRED
    pem = str(CERTIFICATE)
    async with running_origin(answering(HELLO), at=("127.0.0.2", 0), tls=demanding) as origin:
        whole = UpstreamSettings("u", origin.url, tls=TlsSettings(pem, pem, None, "localhost"))
        assert await fetched(pool_settings(whole)) == b"hello"
        tls = whole.tls
        for lacking in (replace(tls, server_name=None), replace(tls, certificate=None), replace(tls, ca=None)):
            settings = replace(whole, tls=lacking)
            with pytest.raises(UpstreamError):
                await fetched(pool_settings(settings))


async def test_a_socket_named_by_the_policy(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    async with running_origin(answering(HELLO), unix_path=str(path)):
        assert await fetched(pool_settings(UpstreamSettings("u", f"unix:{path}"))) == b"hello"
