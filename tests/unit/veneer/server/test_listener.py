"""Accepting: everybody who waits is taken, also while the loop has other work in every turn."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest
import uvloop
from aiohttp import web

from devstack.process import port_is_open
from tests.support.shared_log import until
from tests.unit.veneer.server.front_row import refused
from veneer.core.listen_address import Address
from veneer.loop.tasks import Tasks
from veneer.server import listener as listener_module
from veneer.server.limits import ConnectionSettings
from veneer.server.listener import Listener
from veneer.server.protocol import FrontServer
from veneer.server.sockets import ListenError


async def nothing(_request: web.BaseRequest) -> web.StreamResponse:
    raise AssertionError("nothing is asked here")


async def hello(_request: web.BaseRequest) -> web.StreamResponse:
    return web.Response(text="hello")


def front(most: int = 1_000) -> FrontServer:
    return FrontServer(nothing, ConnectionSettings(most_connections=most), refused)


async def started(listener: Listener) -> Address:
    address = await listener.start()
    assert isinstance(address, Address)
    return address


async def turns_until_accepted(waiting: int) -> int:
    """How many turns of the loop it takes until so many connections that wait at once are served."""
    tasks, server = Tasks(), front()
    listener = Listener(server, Address("127.0.0.1", 0), tasks)
    address = await started(listener)
    clients = [socket.socket() for _ in range(waiting)]
    turns = 0
    try:
        for client in clients:
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.connect((address.host, address.port))
        while len(server.connections) < waiting and turns < 10 * waiting:
            turns += 1
            await asyncio.sleep(0)
    finally:
        for client in clients:
            client.close()
        await listener.stop(0)
        await tasks.aclose()
    return turns


def test_many_who_wait_are_accepted_in_a_few_turns_of_the_loop() -> None:
    assert uvloop.run(turns_until_accepted(200)) < 50


async def test_a_stopped_listener_lets_the_port_go() -> None:
    tasks = Tasks()
    listener = Listener(front(), Address("127.0.0.1", 0), tasks)
    address = await listener.start()
    await listener.stop(0)
    again = Listener(front(), address, tasks)
    await again.start()
    with pytest.raises(ListenError, match="cannot listen on"):
        await Listener(front(), address, tasks).start()
    await again.stop(0)
    await tasks.aclose()


async def test_who_has_connected_before_the_end_of_listening_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client connects, the stop begins, and then the request arrives."""
    monkeypatch.setattr(listener_module, "LAST_CALL_S", 5.0)
    tasks, server = Tasks(), FrontServer(hello, ConnectionSettings(), refused)
    listener = Listener(server, Address("127.0.0.1", 0), tasks)
    address = await started(listener)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    await until(lambda: bool(server.connections))
    stopping = tasks.start(listener.stop(10), "stop")
    await until(lambda: not port_is_open(address.port))
    writer.write(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
    answer = await reader.readuntil(b"hello")
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    await stopping
    await tasks.aclose()
