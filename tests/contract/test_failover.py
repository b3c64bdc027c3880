"""Sentinel and Cluster when a server dies: nothing stored before is believed, and the nodes come back by themselves."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from redis.asyncio import RedisCluster as ClusterClient

from devstack.redis import NO_REDIS, find_redis_binary
from devstack.redis_sets import RedisCluster, SentinelSet
from tests.support.entries import stored
from tests.support.shared_log import LINK, Node, node, until
from veneer.core.invalidation import Invalidation, Validity
from veneer.redis.connect import connect, disconnect, parse_redis_url
from veneer.redis.script import FAILURES

X = Invalidation(tags=("x",))
PATIENT = replace(LINK, timeout_s=1.0)

pytestmark = pytest.mark.skipif(find_redis_binary() is None, reason=NO_REDIS)


async def _agree_on_a_new_epoch(a: Node, b: Node, before: str) -> None:
    await until(lambda: a.log.position.epoch == b.log.position.epoch != before, within_s=30)
    await a.leads()
    await b.leads()
    entry = stored(b.log.position, "x")
    receipt = await a.log.append(X, strict=True)
    assert receipt.shared
    assert b.log.validity(entry) is Validity.DEAD


async def test_a_failover_begins_an_epoch(tmp_path: Path) -> None:
    watched = SentinelSet(tmp_path)
    try:
        watched.start()
        async with node("a", watched.url, PATIENT) as a, node("b", watched.url, PATIENT) as b:
            await a.leads()
            await b.leads()
            entry, epoch = stored(a.log.position, "y"), a.log.position.epoch
            await asyncio.to_thread(watched.master.kill)
            await _agree_on_a_new_epoch(a, b, epoch)
            assert a.log.validity(entry) is b.log.validity(entry) is Validity.DEAD
    finally:
        watched.stop()


async def test_a_cluster_node_that_crashes_begins_an_epoch(tmp_path: Path) -> None:
    cluster = RedisCluster(tmp_path)
    try:
        cluster.start()
        async with node("a", cluster.url, PATIENT) as a, node("b", cluster.url, PATIENT) as b:
            await a.leads()
            await b.leads()
            epoch = a.log.position.epoch
            client = connect(parse_redis_url(cluster.url))
            await client.initialize()
            port = client.get_node_from_key("{veneer}:log").port  # type: ignore[union-attr]
            await disconnect(client)
            (owner,) = [server for server in cluster.servers if server.port == port]
            await asyncio.to_thread(owner.kill)
            await a.lost()
            await asyncio.to_thread(owner.start)
            await _agree_on_a_new_epoch(a, b, epoch)
    finally:
        cluster.stop()


async def test_a_client_whose_last_call_failed_closes_what_it_has_opened(tmp_path: Path) -> None:
    cluster = RedisCluster(tmp_path)
    try:
        cluster.start()
        client = connect(parse_redis_url(cluster.url))
        assert isinstance(client, ClusterClient)
        for key in range(20):
            await client.get(str(key))
        port = client.get_node_from_key("0").port  # type: ignore[union-attr]
        (owner,) = [server for server in cluster.servers if server.port == port]
        await asyncio.to_thread(owner.kill)
        with pytest.raises(FAILURES):
            await client.get("0")
        opened = [one for found in client.get_nodes() for one in found._connections]
        assert any(one.is_connected for one in opened)
        await disconnect(client)
        assert not any(one.is_connected for one in opened)
    finally:
        cluster.stop()
