"""Accepting: everybody who waits is taken, also while the loop has other work in every turn."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest
import uvloop
from aiohttp import web

from tests.unit.veneer.server.front_row import refused
from veneer.loop.tasks import Tasks
from veneer.server.limits import ConnectionSettings
from veneer.server.listener import Address, Listener, ListenError
from veneer.server.protocol import FrontServer


async def nothing(_request: web.BaseRequest) -> web.StreamResponse:
    raise AssertionError("nothing is asked here")


def front(most: int = 1_000) -> FrontServer:
    return FrontServer(nothing, ConnectionSettings(most_connections=most), refused)


async def turns_until_accepted(waiting: int) -> int:
    """How many turns of the loop it takes until so many connections that wait at once are served."""
    tasks, server = Tasks(), front()
    listener = Listener(server, Address("127.0.0.1", 0), tasks)
    address = await listener.start()
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
