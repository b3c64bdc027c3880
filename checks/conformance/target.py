"""The proxy under test: one that is started for the run, or one that is already there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from devstack.process import port_is_open
from devstack.proxy import ProxyOptions, ProxyServer
from devstack.redis import RedisServer


@dataclass(frozen=True, slots=True)
class Address:
    """Where a proxy listens."""

    host: str
    port: int


def address_of(base_url: str) -> Address:
    """The address in an http URL. Raises ValueError."""
    parts = urlsplit(base_url)
    if parts.scheme != "http" or parts.hostname is None:
        raise ValueError(f"{base_url!r} is not like http://127.0.0.1:8080")
    return Address(parts.hostname, parts.port or 80)


def start_listening(proxy: ProxyServer) -> None:
    """Start the proxy and wait until it accepts connections; whether its backend is healthy does not matter here."""
    proxy.process.start()
    proxy.process.wait_ready(lambda: port_is_open(proxy.port))


@contextmanager
def started_proxy(origin_port: int, *, workers: int, redis_url: str | None, log: Path | None) -> Iterator[Address]:
    """Run the proxy in front of the origin; several workers get a Redis of their own if need be.

    Its policy differs from the default in one key: the suite requires what sets a cookie to be stored with it
    (docs/rfc9111.md says why that is not the default).
    """
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="veneer-conformance-")))
        if workers > 1 and redis_url is None:
            redis = RedisServer(directory / "redis")
            stack.callback(redis.stop)
            redis.start()
            redis_url = redis.url
        policies = directory / "policies.yaml"
        policies.write_text("version: 1\ndefaults: {cache: {set_cookie: store}}\n", "utf-8")
        options = ProxyOptions(
            upstream=f"http://127.0.0.1:{origin_port}",
            policies=policies,
            redis_url=redis_url,
            workers=workers if workers > 1 else None,
        )
        proxy = ProxyServer(options, directory)
        if log is not None:
            stack.callback(lambda: log.write_text(proxy.process.log_text(), "utf-8"))
        stack.callback(proxy.stop)
        start_listening(proxy)
        yield Address("127.0.0.1", proxy.port)
