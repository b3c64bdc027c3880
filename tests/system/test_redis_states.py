"""A Redis that answers and does not do what is needed: the log says which state that is, once, and so does health."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest
import redis

from devstack.proxy import ProxyOptions, ProxyServer
from devstack.redis import RedisServer
from tests.support.client import fetch
from tests.support.origin import answering, running_origin

NewRedis = Callable[..., RedisServer]
NewProxy = Callable[[ProxyOptions], ProxyServer]

STORED = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 5\r\n\r\nplain"


def fill(client: redis.Redis) -> None:
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", 1)


def demote(client: redis.Redis) -> None:
    client.replicaof("127.0.0.1", 1)


def forbid(client: redis.Redis) -> None:
    client.acl_setuser("default", enabled=True, commands=["-hset"])


def ask_for_a_password(client: redis.Redis) -> None:
    client.config_set("requirepass", "secret")
    client.auth("secret")
    client.client_kill_filter(_type="normal", skipme=True)


async def health(proxy: ProxyServer) -> tuple[str, str]:
    """The whole's status, and what is said of Redis."""
    found = json.loads((await asyncio.to_thread(fetch, f"{proxy.admin_url}/health/detailed")).body)
    return found["status"], found["parts"]["redis"]["detail"]


@pytest.mark.parametrize(
    ("change", "state"),
    [
        (fill, "is full, and its maxmemory-policy evicts nothing"),
        (demote, "takes no writes: it is a replica"),
        (forbid, "does not permit its user what is needed"),
        (ask_for_a_password, "wants other credentials"),
    ],
)
async def test_a_state_of_redis_is_told_once_by_its_name(
    change: Callable[[redis.Redis], None], state: str, new_redis: NewRedis, new_proxy: NewProxy
) -> None:
    server = await asyncio.to_thread(new_redis)
    async with running_origin(answering(STORED)) as origin:
        proxy = await asyncio.to_thread(new_proxy, ProxyOptions(upstream=origin.url, redis_url=server.url))
        assert await health(proxy) == ("ok", "answers and takes writes")
        with server.client() as client:
            change(client)
        while (await health(proxy))[0] == "ok":  # noqa: ASYNC110 - nothing tells of a lease that has run out
            await asyncio.sleep(0.05)
        for number in range(30):
            for _ in range(2):
                assert (await asyncio.to_thread(fetch, f"{proxy.url}/{number}")).status == 200
        status, detail = await health(proxy)
        assert status == "degraded"
        assert state in detail
        if change is fill:
            assert (await asyncio.to_thread(fetch, f"{proxy.url}/1", "POST")).status == 200, "the log goes on"
        proxy.stop()
    told = [str(line["message"]) for line in proxy.log_records() if str(line.get("logger")) == "veneer.redis.states"]
    assert len(told) == 1, told
    assert f"Redis {state}" in told[0]
