"""Redis behind TLS and behind an ACL user that may do no more than the documentation says."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import redis
import trustme

from devstack.process import ROOT, StartError, free_port
from devstack.redis import NO_REDIS, RedisServer, find_redis_binary
from devstack.redis_sets import RedisCluster
from tests.support.entries import RULES, get, stored
from tests.support.shared_log import LINK, LOG, until
from veneer.core.invalidation import Invalidation
from veneer.core.rate import RateLimit
from veneer.limits.rate_redis import RedisRates, RedisRateSettings
from veneer.loop.clock import SystemClock
from veneer.loop.tasks import Tasks
from veneer.ports import LeaseState, LockReleased
from veneer.redis.connect import ConnectSettings
from veneer.stores.assemble import Stores, StoresConfig, redis_stores
from veneer.stores.fetch_locks import RedisLocks
from veneer.stores.redis_access import RedisStoreSettings
from veneer.stores.redis_log import RedisLog

SETTINGS = StoresConfig(
    connect=ConnectSettings(timeout_s=2.0),
    link=replace(LINK, timeout_s=2.0),
    log=LOG,
    shared=RedisStoreSettings(timeout_s=5.0),
)


USER, PASSWORD = "veneer", "s3cret"
DOCUMENTED = re.compile(r"^ACL SETUSER veneer (.+)$", re.MULTILINE)
NO_TLS = "this server was built without TLS"
NO_TLS_TEXTS = ("Bad directive or wrong number of arguments", "Failed finding TLS support")


@asynccontextmanager
async def stores_at(url: str) -> AsyncIterator[Stores]:
    """The stores of one node on the Redis at `url`."""
    tasks = Tasks()
    stores = redis_stores(url, SystemClock(), tasks, SETTINGS)
    await stores.start()
    try:
        yield stores
    finally:
        await stores.aclose()
        await tasks.aclose()


async def use_everything(url: str) -> None:
    """Each thing that nodes do with Redis, and each of them works."""
    async with stores_at(url) as stores, stores_at(url) as other:
        log, shared, client, brief = stores.log, stores.shared, stores.redis, stores.brief
        assert isinstance(log, RedisLog)
        assert shared is not None
        assert client is not None
        assert brief is not None
        await until(lambda: log.lease_state() is other.log.lease_state() is LeaseState.HELD)
        for body in (b"one", b"two"):
            await shared.put("key", stored(log.position, body=body), 60)
        assert [entry.body for entry in await shared.lookup("key", get(), RULES)] == [b"two"]
        receipt = await log.append(Invalidation(tags=("a",)), strict=True)
        assert receipt.shared
        assert len(receipt.acknowledged) == 1
        await shared.forget("key", stored(log.position))
        assert not await shared.lookup("key", get(), RULES)
        assert isinstance(stores.locks, RedisLocks)
        lock = await stores.locks.acquire("key", "group", 1.0)
        assert not isinstance(lock, LockReleased)
        lock.release(stored=True)
        await stores.locks.settled()
        assert isinstance(await stores.locks.acquire("key", "group", 1.0), LockReleased)
        tasks = Tasks()
        rates = RedisRates(brief, SystemClock(), lambda: 1, tasks, RedisRateSettings(timeout_s=5))
        assert (await rates.admit("somebody", RateLimit("limit", 60, 60, 60))).allowed
        await rates.aclose()
        assert (rates.counts.given_back, rates.available) == (3, True)
        await tasks.aclose()
        assert await stores.sample() is not None
        assert await client.ping()
        assert (log.counts.failures, shared.counts.failures) == (0, 0)


# ---------------------------------------------------------------- ACL


def restrict(server: RedisServer, without: tuple[str, ...] = ()) -> None:
    """Make the documented user, who may not do what is in `without`, and forget what was refused before."""
    (rules,) = DOCUMENTED.findall((ROOT / "docs" / "operations.md").read_text("utf-8"))
    for right in without:
        assert f" {right}" in rules
        rules = rules.replace(f" {right}", "")
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", USER, "reset", *rules.replace("PASSWORD", PASSWORD).split())
        client.execute_command("ACL", "LOG", "RESET")


def refused(server: RedisServer) -> list[object]:
    """What the server has refused to anybody."""
    with server.client() as client:
        found: list[object] = client.acl_log()
        return found


def as_user(url: str) -> str:
    return url.replace("://", f"://{USER}:{PASSWORD}@", 1)


async def test_the_documented_user_may_do_all_that_a_node_does(redis_server: RedisServer, redis_url: str) -> None:
    restrict(redis_server)
    await use_everything(as_user(redis_url))
    assert not refused(redis_server)


async def test_a_user_who_may_not_publish_does_without(redis_server: RedisServer, redis_url: str) -> None:
    restrict(redis_server, without=("&{veneer}:*", "+publish", "+subscribe"))
    await use_everything(as_user(redis_url))


async def test_the_documented_user_will_do_on_a_cluster(redis_cluster: RedisCluster) -> None:
    redis_cluster.flush()
    for server in redis_cluster.servers:
        restrict(server)
    await use_everything(as_user(redis_cluster.url))
    assert not [entry for server in redis_cluster.servers for entry in refused(server)]


def test_the_documented_user_may_do_nothing_else(redis_server: RedisServer, redis_url: str) -> None:
    restrict(redis_server)
    with redis.Redis.from_url(as_user(redis_url)) as client:
        for command in (("FLUSHALL",), ("CONFIG", "GET", "*"), ("KEYS", "*"), ("GET", "another's"), ("ACL", "LIST")):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*command)


# ---------------------------------------------------------------- TLS


@dataclass(frozen=True, slots=True)
class Papers:
    """PEM files: an authority, a server's and a client's certificate with their keys."""

    authority: Path
    server: Path
    client: Path

    @property
    def flags(self) -> tuple[str, ...]:
        """A server's flags for its certificate, and for whom it trusts."""
        files = ("--tls-cert-file", str(self.server), "--tls-key-file", str(self.server))
        return (*files, "--tls-ca-cert-file", str(self.authority))


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    """Certificates of this test run."""
    directory = tmp_path_factory.mktemp("papers")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / "ca.pem")
    for name, identity in (("server.pem", "127.0.0.1"), ("client.pem", "veneer")):
        authority.issue_cert(identity).private_key_and_cert_chain_pem.write_to_path(directory / name)
    return Papers(directory / "ca.pem", directory / "server.pem", directory / "client.pem")


@pytest.fixture
def start_tls(papers: Papers, tmp_path: Path) -> Iterator[Callable[..., RedisServer]]:
    """Start a Redis that speaks TLS only; its argument says whether clients need a certificate."""
    if find_redis_binary() is None:
        pytest.skip(NO_REDIS)
    started: list[RedisServer] = []

    def start(*, clients: str = "no") -> RedisServer:
        args = ("--tls-port", str(free_port()), *papers.flags, "--tls-auth-clients", clients)
        server = TlsRedis(tmp_path, extra_args=args)
        started.append(server)
        start_or_skip(server.start, server)
        return server

    yield start
    for server in started:
        server.stop()


def start_or_skip(start: Callable[[], None], server: RedisServer) -> None:
    """Start; where `server` says that it does not know TLS, skip the test."""
    try:
        start()
    except StartError:
        if any(text in server.process.log_text() for text in NO_TLS_TEXTS):
            pytest.skip(NO_TLS)
        raise


class TlsRedis(RedisServer):
    """A RedisServer whose plain port serves the test alone; `url` is the one with TLS."""

    @property
    def url(self) -> str:
        """The URL with TLS, without any file."""
        argv = self.process.launch.argv
        return f"rediss://127.0.0.1:{argv[argv.index('--tls-port') + 1]}/0"


async def test_a_private_authority_is_named_in_the_url(start_tls: Callable[..., RedisServer], papers: Papers) -> None:
    await use_everything(f"{start_tls().url}?ssl_ca_certs={papers.authority}")


async def test_a_client_certificate_is_shown(start_tls: Callable[..., RedisServer], papers: Papers) -> None:
    trusting = f"{start_tls(clients='yes').url}?ssl_ca_certs={papers.authority}"
    await use_everything(f"{trusting}&ssl_certfile={papers.client}")
    async with stores_at(trusting) as stranger:
        assert stranger.log.lease_state() is LeaseState.EXPIRED


async def test_a_server_of_an_unknown_authority_is_not_believed(
    start_tls: Callable[..., RedisServer], caplog: pytest.LogCaptureFixture
) -> None:
    async with stores_at(start_tls().url) as stores:
        assert stores.log.lease_state() is LeaseState.EXPIRED
        assert not await stores.log.begin_write(1.0, strict=True)
    assert "certificate verify failed" in caplog.text


async def test_the_name_has_to_be_the_certificates(
    start_tls: Callable[..., RedisServer], papers: Papers, caplog: pytest.LogCaptureFixture
) -> None:
    url = start_tls().url.replace("127.0.0.1", "localhost")
    async with stores_at(f"{url}?ssl_ca_certs={papers.authority}") as stores:
        assert stores.log.lease_state() is LeaseState.EXPIRED
    assert "localhost" in caplog.text


async def test_a_cluster_with_tls(papers: Papers, tmp_path: Path) -> None:
    if find_redis_binary() is None:
        pytest.skip(NO_REDIS)
    cluster = RedisCluster(tmp_path, tls=(*papers.flags, "--tls-auth-clients", "no"))
    try:
        start_or_skip(cluster.start, cluster.servers[0])
        await use_everything(f"{cluster.url}?ssl_ca_certs={papers.authority}")
    finally:
        cluster.stop()
