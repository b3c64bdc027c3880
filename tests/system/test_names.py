"""Backends that are known by name: names that hang, fail, move, and lead to an address that is silent."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from devstack.process import wait_until
from devstack.proxy import ProxyOptions, ProxyServer
from tests.support.client import Answer, fetch
from tests.support.origin import Origin, OriginConnection, answering, running_origin
from tests.support.resolver import FAILS, HANGS, Resolver

NewProxy = Callable[[ProxyOptions], ProxyServer]

OTHER_ADDRESS = "127.0.0.2"


def saying(text: str, *fields: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", f"Content-Length: {len(text)}", *fields, "", text]).encode()


@pytest.fixture
def names(tmp_path: Path) -> Iterator[Resolver]:
    """Nothing hangs when the proxy stops."""
    made = Resolver(tmp_path)
    yield made
    made.tell("hangs.test", FAILS)


def port_of(origin: Origin) -> int:
    return urlsplit(origin.url).port or 0


async def ask(proxy: ProxyServer, path: str) -> Answer:
    return await asyncio.to_thread(fetch, proxy.url + path)


async def start(new_proxy: NewProxy, names: Resolver, directory: Path, policy: str) -> ProxyServer:
    policies = directory / "policies.yaml"
    policies.write_text("version: 1\n" + policy)
    return await asyncio.to_thread(new_proxy, ProxyOptions(upstream=None, policies=policies, env=names.env))


async def test_names_that_hang_keep_no_other_backend_from_answering(
    new_proxy: NewProxy, names: Resolver, tmp_path: Path
) -> None:
    names.tell("hangs.test", HANGS)
    names.tell("answers.test", "127.0.0.1")
    async with running_origin(answering(saying("here"))) as origin:
        policy = f"""
upstreams:
  hanging: {{url: "http://hangs.test:{port_of(origin)}", connect_timeout: 1s}}
  answering: {{url: "http://answers.test:{port_of(origin)}"}}
routes:
  - {{name: hanging, match: {{path: "/hanging/{{rest:path}}"}}, upstream: hanging}}
  - {{name: answering, match: {{path: "/answering/{{rest:path}}"}}, upstream: answering}}
"""
        proxy = await start(new_proxy, names, tmp_path, policy)
        async with asyncio.TaskGroup() as asking:
            waiting = [asking.create_task(ask(proxy, f"/hanging/{number}")) for number in range(4)]
            assert await asyncio.to_thread(wait_until, lambda: names.asked("hangs.test") > 0, timeout_s=10)
            answer = await ask(proxy, "/answering/1")
            assert (answer.status, answer.body) == (200, b"here")
        assert [one.result().status for one in waiting] == [504] * 4


async def test_the_last_addresses_serve_while_names_cannot_be_looked_up(
    new_proxy: NewProxy, names: Resolver, tmp_path: Path
) -> None:
    names.tell("api.test", "127.0.0.1")

    async def once(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(saying("here", "Connection: close"))

    async with running_origin(once) as origin:
        policy = f'upstreams: {{api: {{url: "http://api.test:{port_of(origin)}"}}}}\ndefaults: {{upstream: api}}\n'
        proxy = await start(new_proxy, names, tmp_path, policy)
        assert (await ask(proxy, "/1")).status == 200
        names.tell("api.test", FAILS)
        assert [(await ask(proxy, f"/{number}")).status for number in range(2, 5)] == [200] * 3


async def test_a_name_that_moves_is_followed_though_the_old_address_still_answers(
    new_proxy: NewProxy, names: Resolver, tmp_path: Path
) -> None:
    names.tell("moves.test", "127.0.0.1")
    async with running_origin(answering(saying("old"))) as old:
        port = port_of(old)
        async with running_origin(answering(saying("new")), at=(OTHER_ADDRESS, port)):
            upstream = f'{{url: "http://moves.test:{port}", keep_alive_time: 500ms}}'
            policy = f"upstreams: {{api: {upstream}}}\ndefaults: {{upstream: api}}\n"
            proxy = await start(new_proxy, names, tmp_path, policy)
            assert (await ask(proxy, "/first")).body == b"old"
            names.tell("moves.test", OTHER_ADDRESS)
            said = b"old"
            async with asyncio.timeout(20):
                while said == b"old":  # without a pause: no connection is ever idle for long
                    said = (await ask(proxy, "/again")).body
            assert said == b"new"
            assert await asyncio.to_thread(proxy.process.says, f"moves.test is at {OTHER_ADDRESS}")


async def test_each_address_of_a_name_is_a_target_and_follows_the_name(
    new_proxy: NewProxy, names: Resolver, tmp_path: Path
) -> None:
    names.tell("both.test", "127.0.0.1", OTHER_ADDRESS)
    async with running_origin(answering(saying("one"))) as one:
        port = port_of(one)
        async with running_origin(answering(saying("two")), at=(OTHER_ADDRESS, port)):
            upstream = f'{{targets: [{{url: "http://both.test:{port}", resolve: all}}], resolve_every: 1s}}'
            policy = f"upstreams: {{api: {upstream}}}\ndefaults: {{upstream: api, cache: {{enabled: false}}}}\n"
            proxy = await start(new_proxy, names, tmp_path, policy)
            said = [(await ask(proxy, f"/{number}")).body for number in range(40)]
            assert set(said) == {b"one", b"two"}
            names.tell("both.test", OTHER_ADDRESS)
            assert await asyncio.to_thread(proxy.process.says, f"both.test:{port} leads to {OTHER_ADDRESS}:{port}")
            names.tell("both.test", FAILS)
            assert await asyncio.to_thread(proxy.process.says, "cannot be looked up, its last targets are used")
            assert {(await ask(proxy, f"/again/{number}")).body for number in range(20)} == {b"two"}


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port at another address that takes no connection and refuses none, for the queue in front of it is full."""
    with closing(socket.socket()) as listener:
        listener.bind((OTHER_ADDRESS, 0))
        listener.listen(0)
        with closing(socket.create_connection(listener.getsockname())):
            yield int(listener.getsockname()[1])


async def test_an_address_that_is_silent_delays_nobody_for_long(
    new_proxy: NewProxy, names: Resolver, tmp_path: Path, silent_port: int
) -> None:
    names.tell("twice.test", OTHER_ADDRESS, "127.0.0.1")

    async def once(connection: OriginConnection) -> None:
        await connection.request_head()
        await connection.send(saying("here", "Connection: close"))

    async with running_origin(once, at=("127.0.0.1", silent_port)):
        upstream = f'{{url: "http://twice.test:{silent_port}", connect_timeout: 40s}}'
        proxy = await start(
            new_proxy, names, tmp_path, f"upstreams: {{api: {upstream}}}\ndefaults: {{upstream: api}}\n"
        )
        async with asyncio.timeout(10):  # of which half is not the share of the silent address
            assert [(await ask(proxy, f"/{number}")).status for number in range(4)] == [200] * 4
