"""A real Redis of each kind is asked for its memory policy."""

from __future__ import annotations

import asyncio

import pytest

from devstack.redis import RedisServer
from devstack.redis_sets import RedisCluster, SentinelSet
from tests.support.redis_fixtures import shared_url
from veneer.redis.connect import connect, disconnect, parse_redis_url
from veneer.stores.memory_policy import check_memory_policy


def servers(kind: str, request: pytest.FixtureRequest) -> list[RedisServer]:
    """The servers that take writes."""
    if kind == "cluster":
        cluster: RedisCluster = request.getfixturevalue("redis_cluster")
        return list(cluster.servers)
    if kind == "sentinel":
        watched: SentinelSet = request.getfixturevalue("sentinel_set")
        return [watched.master]
    return [request.getfixturevalue("redis_server")]


@pytest.mark.parametrize("kind", ["redis", "sentinel", "cluster"])
async def test_a_policy_that_is_not_right_is_warned_about(
    kind: str, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    client = connect(parse_redis_url(shared_url(kind, request)))
    there = servers(kind, request)
    try:
        await check_memory_policy(client)
        assert caplog.text == ""
        for server in there:
            with server.client() as own:
                own.config_set("maxmemory", 100_000_000)
                own.config_set("maxmemory-policy", "noeviction")
        await check_memory_policy(client)
        assert caplog.text.count("maxmemory-policy noeviction: when it is full nothing new is stored") == len(there)
    finally:
        for server in there:
            with server.client() as own:
                own.config_set("maxmemory", 0)
        await disconnect(client)


async def test_a_redis_that_is_away_is_asked_when_it_is_back() -> None:
    client = connect(parse_redis_url("redis://127.0.0.1:1"))
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await check_memory_policy(client, sleep)
    assert waited == [5.0] * 3
    await disconnect(client)
