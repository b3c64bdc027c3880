"""Where Redis is: one URL for a server, a socket, a Sentinel set or a Cluster, and the clients for it.

redis://[user:password@]host[:port][/db], rediss:// (TLS), unix:///path[?db=n],
redis+sentinel://[user:password@]host[:port][,host...]/service[/db], redis+cluster://[user:password@]host[:port][,host...];
with TLS rediss+sentinel:// and rediss+cluster://.

Certificates are checked, host names included, against the system's authorities. rediss:// URLs may name PEM files
in their query: ssl_ca_certs (one's own authorities instead), ssl_certfile and ssl_keyfile (the client's certificate).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from redis import asyncio as aioredis
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

RedisClient = aioredis.Redis | aioredis.RedisCluster
DEFAULT_PORT = 6379
DEFAULT_SENTINEL_PORT = 26379
SCHEMES = (
    "redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster",
)  # fmt: skip
TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")


class RedisUrlError(ValueError):
    """The Redis URL cannot be used; the text says why and what would be right."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"Redis URL: {detail}")


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """A parsed Redis URL. `tls_files` are paths by the name that the client gives them."""

    scheme: str
    hosts: tuple[tuple[str, int], ...] = ()
    path: str = ""
    service: str = ""
    database: int = 0
    username: str | None = None
    password: str | None = None
    tls_files: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.scheme.startswith("rediss")

    def __str__(self) -> str:
        """The URL without its password, for logs."""
        where = self.path or ",".join(f"{host}:{port}" for host, port in self.hosts)
        return f"{self.scheme}://{where}" + (f"/{self.service}" if self.service else "")


def parse_redis_url(url: str) -> RedisAddress:
    """Parse and check a Redis URL. Raises RedisUrlError."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        detail = f"unknown scheme {parts.scheme!r}, use one of {', '.join(SCHEMES)}"
        raise RedisUrlError(detail)
    userinfo, _, hosts = parts.netloc.rpartition("@")
    username, _, password = userinfo.partition(":")
    who = (unquote(username) or None, unquote(password) or None)
    if parts.scheme == "unix":
        if not parts.path:
            raise RedisUrlError("unix:// needs the path of a socket, as in unix:///run/redis.sock")
        database = _database(_query(parts.query, ("db",)).get("db", "0"))
        return RedisAddress("unix", (), parts.path, "", database, *who)
    files = _tls_files(parts.query, tls=parts.scheme.startswith("rediss"))
    kind = parts.scheme.partition("+")[2]
    port = DEFAULT_SENTINEL_PORT if kind == "sentinel" else DEFAULT_PORT
    where = tuple(_host(host, port) for host in hosts.split(","))
    if kind != "sentinel":
        if len(where) > 1 and not kind:
            raise RedisUrlError("several hosts need redis+sentinel:// or redis+cluster://")
        database = _database(parts.path.strip("/") or "0")
        if kind == "cluster" and database:
            raise RedisUrlError("a Cluster has only database 0")
        return RedisAddress(parts.scheme, where, "", "", database, *who, files)
    service, _, number = parts.path.strip("/").partition("/")
    if not service:
        raise RedisUrlError("redis+sentinel:// needs the service name, as in redis+sentinel://host/mymaster")
    return RedisAddress(parts.scheme, where, "", service, _database(number or "0"), *who, files)


def _query(text: str, known: tuple[str, ...]) -> dict[str, str]:
    """The query's members, each given once."""
    members = {name: values[-1] for name, values in parse_qs(text, keep_blank_values=True).items()}
    for name in members.keys() - set(known):
        detail = f"unknown {name!r} after the question mark" + (f", use {', '.join(known)}" if known else "")
        raise RedisUrlError(detail)
    return members


def _tls_files(query: str, *, tls: bool) -> dict[str, str]:
    files = _query(query, TLS_FILES if tls else ())
    for name, path in files.items():
        if not Path(path).is_file():
            detail = f"{name}: there is no file {path!r}"
            raise RedisUrlError(detail)
    if "ssl_keyfile" in files and "ssl_certfile" not in files:
        raise RedisUrlError("ssl_keyfile needs ssl_certfile, the certificate that the key belongs to")
    return files


def _host(text: str, default_port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    try:
        port = parts.port or default_port
    except ValueError:
        detail = f"bad port in {text!r}, use a number from 1 to 65535"
        raise RedisUrlError(detail) from None
    return parts.hostname or "127.0.0.1", port


def _database(text: str) -> int:
    if not text.isdecimal():
        detail = f"bad database {text!r}, use a number such as 0"
        raise RedisUrlError(detail)
    return int(text)


@dataclass(frozen=True, slots=True)
class ConnectSettings:
    """Bounds of the clients. `timeout_s` is for connecting and for getting a connection; callers bound their calls.

    Calls beyond `max_connections` wait for a connection; with Sentinel and Cluster, where the pools cannot wait, they
    fail, so that these get four times as many.
    """

    timeout_s: float = 1.0
    max_connections: int = 64


def connect(address: RedisAddress, settings: ConnectSettings | None = None) -> RedisClient:
    """Build a client; it connects when first used. The caller closes it.

    A call on a connection that turns out to be closed is tried once more; nothing else is retried here, so that an
    outage is seen at once by those who must know. No call has a time-out of its own: its caller sets one for the whole
    of it, and before Python 3.12 the client's would put every command into a task of its own, a loop's iteration later.
    """
    chosen = settings or ConnectSettings()
    options: dict[str, object] = {
        "socket_timeout": None,
        "socket_connect_timeout": chosen.timeout_s,
        "protocol": 2,
        "username": address.username,
        "password": address.password,
        "retry": Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        "health_check_interval": 0,
        "driver_info": None,  # CLIENT SETINFO is one more right that a user would need
    }
    if address.tls:
        options |= {"ssl_cert_reqs": "required", "ssl_check_hostname": True, **address.tls_files}
    kind = address.scheme.partition("+")[2]
    if kind == "cluster":
        return _cluster(address, options | {"max_connections": 4 * chosen.max_connections})
    options["db"] = address.database
    if kind == "sentinel":
        return _sentinel(address, options | {"max_connections": 4 * chosen.max_connections}, chosen.timeout_s)
    return _single(address, options | {"max_connections": chosen.max_connections}, chosen.timeout_s)


def _single(address: RedisAddress, options: Mapping[str, object], wait_s: float) -> aioredis.Redis:
    connection: dict[str, object] = dict(options)
    if address.scheme == "unix":
        connection |= {"path": address.path, "connection_class": aioredis.UnixDomainSocketConnection}
    else:
        host, port = address.hosts[0]
        kind = aioredis.SSLConnection if address.tls else aioredis.Connection
        connection |= {"host": host, "port": port, "connection_class": kind, "socket_keepalive": True}
    pool = aioredis.BlockingConnectionPool(timeout=wait_s, **connection)  # type: ignore[arg-type]
    return aioredis.Redis.from_pool(pool)


def _sentinel(address: RedisAddress, options: Mapping[str, object], timeout_s: float) -> aioredis.Redis:
    watched = {name: options[name] for name in ("socket_connect_timeout", "protocol", "retry")}
    # A Sentinel that says nothing must not use up the time of a call that could ask the next one.
    watched |= {"socket_timeout": timeout_s, **{name: value for name, value in options.items() if name[:4] == "ssl_"}}
    watched["ssl"] = address.tls
    sentinel = Sentinel(list(address.hosts), sentinel_kwargs=dict(watched), ssl=address.tls)  # type: ignore[no-untyped-call]
    pool = SentinelConnectionPool(address.service, sentinel, ssl=address.tls, **options)  # type: ignore[no-untyped-call]
    return aioredis.Redis.from_pool(pool)


def _cluster(address: RedisAddress, options: Mapping[str, object]) -> aioredis.RedisCluster:
    nodes = [ClusterNode(host, port) for host, port in address.hosts]
    return aioredis.RedisCluster(startup_nodes=nodes, ssl=address.tls, **options)  # type: ignore[arg-type]


async def disconnect(client: RedisClient) -> None:
    """Close a client with everything it opened; a Sentinel set has a client of its own for each Sentinel."""
    if isinstance(client, aioredis.RedisCluster):
        await client.aclose()
        # Between a call that failed and the next one, which would look the nodes up again, that has closed nothing.
        for kept in ("nodes_cache", "startup_nodes"):
            await client.nodes_manager.aclose(kept)
        return
    pool = client.connection_pool
    await client.aclose()
    if isinstance(pool, SentinelConnectionPool):
        for sentinel in pool.sentinel_manager.sentinels:
            await sentinel.aclose()
