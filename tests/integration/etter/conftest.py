"""The Etter application inside the test process, on a real PostgreSQL with the tiny data set."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from devstack.callers import bearer
from devstack.postgres import PostgresServer
from etter.app import make_app, make_parts
from etter.db.engine import plain_engine
from etter.indexes.apply import apply_indexes
from etter.indexes.files import default_directory, read_files
from etter.migrate import migrate
from etter.seed.load import seed
from etter.settings import Settings, load_settings

Client = TestClient[web.Request, web.Application]
Start = Callable[[Settings], Awaitable[Client]]


@pytest.fixture(scope="session")
def etter_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A database with schema, tiny data and indexes, shared by all tests; each changes rows of its own."""
    url = postgres_server.create_database("etter_tiny")
    migrate(url)
    engine = plain_engine(url)
    seed(engine, "tiny", quiet=True)
    apply_indexes(engine, read_files(default_directory()), lambda _line: None)
    yield url
    postgres_server.drop_database("etter_tiny")


@pytest.fixture
def settings(etter_url: str) -> Settings:
    """Settings for a small pool, with debug headers."""
    values = {"DATABASE_URL": etter_url, "DB_POOL_SIZE": "4", "DB_MAX_OVERFLOW": "2", "ETTER_DEBUG": "true"}
    return load_settings({}, values | {"ENVIRONMENT": "development", "ETTER_STANDING_SECONDS": "60"})


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start applications with settings of the test's own."""
    clients: list[Client] = []

    async def launch(settings: Settings) -> Client:
        client: Client = TestClient(TestServer(make_app(make_parts(settings))))
        await client.start_server()
        clients.append(client)
        return client

    yield launch
    for client in clients:
        await client.close()


@pytest.fixture
async def api(settings: Settings, start: Start) -> Client:
    """A client of the running application, which has seen user 42 before: who that is takes no statement more."""
    client = await start(settings)
    assert (await client.post("/api/etter/auth/check_auth", headers=bearer(settings))).status == 200
    return client


@pytest.fixture
def member(settings: Settings) -> dict[str, str]:
    """User 42 of company 7."""
    return bearer(settings)


@pytest.fixture
def platform(settings: Settings) -> dict[str, str]:
    """Somebody who may see all companies."""
    return bearer(settings, user_id=1, company_id=1, role="platform")
