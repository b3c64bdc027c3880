"""The Etter application inside the test process, on a real PostgreSQL with the tiny data set."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from backend.app import make_app, make_parts
from backend.clock import utc_now
from backend.db.engine import plain_engine
from backend.indexes.apply import apply_indexes
from backend.indexes.files import default_directory, read_files
from backend.migrate import migrate
from backend.seed.load import seed
from backend.settings import Settings, load_settings
from backend.web.auth import Role, issue_pass, issue_token
from tests.stack.postgres import PostgresServer

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
    return load_settings({}, values)


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
    """A client of the running application."""
    return await start(settings)


def bearer(
    settings: Settings, user_id: int = 42, company_id: int = 7, role: Role = "member", hours: float = 1
) -> dict[str, str]:
    """The Authorization field of a user."""
    expires_at = utc_now() + dt.timedelta(hours=hours)
    token = issue_token(settings.token_secret, user_id=user_id, company_id=company_id, role=role, expires_at=expires_at)
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def member(settings: Settings) -> dict[str, str]:
    """User 42 of company 7."""
    return bearer(settings)


@pytest.fixture
def platform(settings: Settings) -> dict[str, str]:
    """Somebody who may see all companies."""
    return bearer(settings, user_id=1, company_id=1, role="platform")


@pytest.fixture
def passing(settings: Settings, member: dict[str, str]) -> dict[str, str]:
    """User 42 with the pass of company 7."""
    return member | {"Etter-Company-Pass": issue_pass(settings.token_secret, 7, utc_now()).text}
