"""pytest fixtures over the real servers; each xdist worker has its own, so nothing is shared or locked."""

from __future__ import annotations

import itertools
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devstack.backend import BackendServer, preparation, run_step
from devstack.postgres import PostgresServer
from devstack.proxy import ProxyOptions, ProxyServer
from devstack.redis import NO_REDIS, RedisServer, find_redis_binary

_numbers = itertools.count(1)


def _database_name(module: str) -> str:
    return f"{re.sub('[^a-z0-9]+', '_', module.lower())[-40:]}_{next(_numbers)}"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this test process, empty but for its own databases."""
    # Not under pytest's directory: that is closed to other accounts, and as root PostgreSQL runs as one.
    with tempfile.TemporaryDirectory(prefix="veneer-postgres-") as directory:
        server = PostgresServer(Path(directory))
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="module")
def database_url(postgres_server: PostgresServer, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a fresh, empty database that the tests of one module share."""
    name = _database_name(request.node.name)
    yield postgres_server.create_database(name)
    postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def etter_template(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a database with schema, indexes and the tiny data set; copied, never written to."""
    name = "etter_template"
    url = postgres_server.create_database(name)
    for step in preparation(url, "tiny"):
        run_step(step, tmp_path_factory.mktemp("prepare"))
    return name


@pytest.fixture(scope="module")
def etter_database_url(
    postgres_server: PostgresServer, etter_template: str, request: pytest.FixtureRequest
) -> Iterator[str]:
    """The URL of a database with the tiny data set, which the tests of one module may change."""
    name = _database_name(request.node.name)
    yield postgres_server.create_database(name, etter_template)
    postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis of this test process; take `redis_url` unless the server itself is the subject."""
    if find_redis_binary() is None:
        pytest.skip(NO_REDIS)
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL of an empty Redis."""
    redis_server.flush()
    return redis_server.url


@pytest.fixture
def new_redis(tmp_path: Path) -> Iterator[Callable[..., RedisServer]]:
    """Start Redis servers of the test's own, to be killed and restarted; arguments as RedisServer's."""
    if find_redis_binary() is None:
        pytest.skip(NO_REDIS)
    with starting_redis(tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def backend_server(etter_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackendServer]:
    """The Etter service on a database of this module with the tiny data set."""
    server = BackendServer(etter_database_url, tmp_path_factory.mktemp("backend"))
    server.start()
    yield server
    server.stop()
    assert "Traceback" not in server.process.log_text(), server.process.log_text()


@pytest.fixture
def new_proxy(tmp_path: Path) -> Iterator[Callable[[ProxyOptions], ProxyServer]]:
    """Start proxies of the test's own; afterwards they are stopped, and none may have logged an exception."""
    with starting_proxies(tmp_path) as start:
        yield start


@contextmanager
def starting_redis(directory: Path) -> Iterator[Callable[..., RedisServer]]:
    """Start Redis servers until the block ends."""
    started: list[RedisServer] = []

    def start(*, persist: bool = False, extra_args: tuple[str, ...] = ()) -> RedisServer:
        server = RedisServer(directory / f"redis{len(started)}", persist=persist, extra_args=extra_args)
        started.append(server)
        server.start()
        return server

    try:
        yield start
    finally:
        for server in started:
            server.stop()


@contextmanager
def starting_proxies(directory: Path) -> Iterator[Callable[[ProxyOptions], ProxyServer]]:
    """Start proxies until the block ends; then none may have logged an exception."""
    started: list[ProxyServer] = []

    def start(options: ProxyOptions) -> ProxyServer:
        server = ProxyServer(options, directory, name=f"proxy{len(started)}")
        started.append(server)
        server.start()
        return server

    try:
        yield start
    finally:
        obeyed = [server.stop() for server in started]
    assert all(obeyed), "a proxy had to be killed: " + started[obeyed.index(False)].process.log_text()[-2000:]
    for server in started:
        text = server.process.log_text()
        assert "Traceback" not in text, text
        assert "never awaited" not in text, text
