"""pytest fixtures over a real Cluster and a real Sentinel set, and the choice between the kinds of Redis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from devstack.redis import NO_REDIS, RedisServer, find_redis_binary
from devstack.redis_sets import RedisCluster, SentinelSet


@pytest.fixture(scope="session")
def redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    """A Cluster of this test process."""
    if find_redis_binary() is None:
        pytest.skip(NO_REDIS)
    cluster = RedisCluster(tmp_path_factory.mktemp("cluster"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def sentinel_set(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentinelSet]:
    """A Sentinel set of this test process."""
    if find_redis_binary() is None:
        pytest.skip(NO_REDIS)
    watched = SentinelSet(tmp_path_factory.mktemp("sentinel"))
    try:
        watched.start()
        yield watched
    finally:
        watched.stop()


def shared_url(kind: str, request: pytest.FixtureRequest) -> str:
    """The URL of an empty Redis of this kind."""
    if kind == "cluster":
        cluster: RedisCluster = request.getfixturevalue("redis_cluster")
        cluster.flush()
        return cluster.url
    if kind == "sentinel":
        watched: SentinelSet = request.getfixturevalue("sentinel_set")
        watched.master.flush()
        return watched.url
    server: RedisServer = request.getfixturevalue("redis_server")
    server.flush()
    return server.url
