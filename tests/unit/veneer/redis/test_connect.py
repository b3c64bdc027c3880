"""Redis URLs: what each form means, and what is said of a bad one."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis.asyncio import Redis, SSLConnection
from redis.asyncio.sentinel import SentinelConnectionPool

from veneer.redis.connect import RedisUrlError, connect, disconnect, parse_redis_url


@pytest.mark.parametrize(
    ("url", "hosts", "database", "service", "tls"),
    [
        ("redis://", (("127.0.0.1", 6379),), 0, "", False),
        ("redis://cache:7000/3", (("cache", 7000),), 3, "", False),
        ("rediss://cache", (("cache", 6379),), 0, "", True),
        ("redis://[::1]:7000", (("::1", 7000),), 0, "", False),
        ("redis+sentinel://a,b:1/main", (("a", 26379), ("b", 1)), 0, "main", False),
        ("rediss+sentinel://a/main/2", (("a", 26379),), 2, "main", True),
        ("redis+cluster://a:1,b:2", (("a", 1), ("b", 2)), 0, "", False),
    ],
)
def test_forms(url: str, hosts: tuple[tuple[str, int], ...], database: int, service: str, tls: bool) -> None:
    address = parse_redis_url(url)
    assert (address.hosts, address.database, address.service, address.tls) == (hosts, database, service, tls)


@pytest.mark.parametrize(("scheme", "encrypted"), [("redis", False), ("rediss", True)])
async def test_with_tls_the_sentinels_are_asked_over_tls_too(scheme: str, encrypted: bool) -> None:
    client = connect(parse_redis_url(f"{scheme}+sentinel://a,b/main"))
    assert isinstance(client, Redis)
    pool = client.connection_pool
    assert isinstance(pool, SentinelConnectionPool)
    watchers = pool.sentinel_manager.sentinels
    kinds = [one.connection_pool.connection_class for one in watchers]
    assert [issubclass(kind, SSLConnection) for kind in kinds] == [encrypted, encrypted]
    await disconnect(client)


def test_a_password_is_decoded_and_never_shown() -> None:
    address = parse_redis_url("redis://me:p%40ss@cache/0")
    assert (address.username, address.password) == ("me", "p@ss")
    assert str(address) == "redis://cache:6379"
    assert parse_redis_url("redis://:only@cache").username is None


def test_a_socket() -> None:
    address = parse_redis_url("unix:///run/redis.sock?db=4")
    assert (address.path, address.database) == ("/run/redis.sock", 4)
    assert str(address) == "unix:///run/redis.sock"


def test_tls_files_are_named_in_the_query(tmp_path: Path) -> None:
    file = tmp_path / "some.pem"
    file.write_text("", "ascii")
    address = parse_redis_url(f"rediss+cluster://a,b?ssl_ca_certs={file}&ssl_certfile={file}")
    assert address.tls_files == {"ssl_ca_certs": str(file), "ssl_certfile": str(file)}
    with pytest.raises(RedisUrlError, match="ssl_keyfile needs ssl_certfile"):
        parse_redis_url(f"rediss://a?ssl_keyfile={file}")


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("http://cache", "unknown scheme 'http', use one of redis, rediss"),
        ("cache:6379", "unknown scheme"),
        ("redis://cache:port", "bad port in 'cache:port'"),
        ("redis://cache:70000", "bad port"),
        ("redis://cache/one", "bad database 'one'"),
        ("redis://a,b", "several hosts need redis+sentinel"),
        ("redis+sentinel://a", "needs the service name"),
        ("redis+cluster://a/1", "only database 0"),
        ("unix://", "needs the path of a socket"),
        ("unix:///s?ssl_ca_certs=/x", "unknown 'ssl_ca_certs' after the question mark, use db"),
        ("redis://cache?ssl_ca_certs=/x", "unknown 'ssl_ca_certs' after the question mark"),
        ("rediss://cache?ssl_ca_certs=/none/ca.pem", "ssl_ca_certs: there is no file '/none/ca.pem'"),
        ("rediss://cache?insecure=1", "unknown 'insecure' after the question mark, use ssl_ca_certs"),
    ],
)
def test_bad_urls_are_refused_with_what_would_be_right(url: str, complaint: str) -> None:
    with pytest.raises(RedisUrlError, match=complaint.replace("+", r"\+")):
        parse_redis_url(url)
