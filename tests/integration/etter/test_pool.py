"""The pool under pressure: exhausted, too slow, away and back."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import text
from sqlalchemy.orm import Session

from devstack.callers import bearer
from devstack.postgres import PostgresServer
from etter.app import make_app, make_parts
from etter.db.engine import plain_engine
from etter.errors import DatabaseTimeoutError, UnavailableError
from etter.migrate import migrate
from etter.seed.load import seed
from etter.settings import Settings
from tests.integration.etter.conftest import Client, Start


def sleeping(seconds: float) -> Callable[[Session], None]:
    def work(session: Session) -> None:
        session.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": seconds})

    return work


async def test_connections_start_with_the_required_settings(settings: Settings) -> None:
    database = make_parts(settings).database
    names = ("application_name", "TimeZone", "statement_timeout", "jit", "default_transaction_isolation")
    try:
        found = await database.write(
            lambda session: {name: session.execute(text(f"SHOW {name}")).scalar_one() for name in names}
        )
    finally:
        database.close()
    assert found == {
        "application_name": "etter",
        "TimeZone": "UTC",
        "statement_timeout": "30s",
        "jit": "off",
        "default_transaction_isolation": "read committed",
    }


async def test_exhaustion_is_refused_in_time_and_passes(settings: Settings) -> None:
    small = msgspec.structs.replace(settings, db_pool_size=1, db_max_overflow=0, db_pool_timeout=0.1)
    database = make_parts(small).database
    try:
        busy = asyncio.gather(database.read(sleeping(0.6)))
        await asyncio.sleep(0.05)
        with pytest.raises(UnavailableError) as refused:
            await database.read(sleeping(0))
        assert refused.value.headers == {"Retry-After": "1"}
        await busy
        await database.read(sleeping(0))
    finally:
        database.close()


async def test_a_request_that_finds_the_pool_exhausted_gets_a_503(settings: Settings) -> None:
    small = msgspec.structs.replace(settings, db_pool_size=1, db_max_overflow=0, db_pool_timeout=0.1)
    parts = make_parts(small)
    client: Client = TestClient(TestServer(make_app(parts)))
    await client.start_server()
    busy = asyncio.ensure_future(parts.database.read(sleeping(0.6)))  # noqa: TID251 - one that is not awaited yet
    await asyncio.sleep(0.05)
    refused = await client.get("/api/etter/users/42", headers=bearer(settings))
    body = await refused.json()
    assert (refused.status, refused.headers["Retry-After"], body["error_code"]) == (503, "1", "UNAVAILABLE")
    assert (await client.get("/health")).status == 200
    await busy
    assert (await client.get("/api/etter/users/42", headers=bearer(settings))).status == 200
    await client.close()


async def test_the_queue_is_bounded(settings: Settings) -> None:
    small = msgspec.structs.replace(settings, db_pool_size=1, db_max_overflow=0, db_max_waiting=1)
    database = make_parts(small).database
    try:
        results = await asyncio.gather(*(database.read(sleeping(0.2)) for _ in range(4)), return_exceptions=True)
    finally:
        database.close()
    assert sum(isinstance(result, UnavailableError) for result in results) == 2


async def test_a_cancelled_caller_keeps_its_slot_until_the_statement_ends(settings: Settings) -> None:
    small = msgspec.structs.replace(settings, db_pool_size=1, db_max_overflow=0, db_pool_timeout=0.1)
    database = make_parts(small).database
    try:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await database.read(sleeping(0.6))
        with pytest.raises(UnavailableError):
            await database.read(sleeping(0))
    finally:
        database.close()


async def test_statement_timeout_is_a_clear_504(settings: Settings) -> None:
    database = make_parts(msgspec.structs.replace(settings, db_query_timeout=0.1)).database
    try:
        with pytest.raises(DatabaseTimeoutError):
            await database.read(sleeping(5))
        await database.read(sleeping(0))
    finally:
        database.close()


async def test_the_loop_turns_while_the_database_works(settings: Settings) -> None:
    database = make_parts(settings).database
    turns = 0

    async def turn() -> None:
        nonlocal turns
        for _ in range(50):
            await asyncio.sleep(0)
            turns += 1

    try:
        slow = asyncio.gather(*(database.read(sleeping(0.3)) for _ in range(6)))
        await turn()
        assert not slow.done()
        assert turns == 50
        await slow
    finally:
        database.close()


async def test_slow_queries_are_logged(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    parts = make_parts(msgspec.structs.replace(settings, slow_query_seconds=0.05))
    try:
        with caplog.at_level("WARNING", "etter.sql"):
            await parts.database.read(sleeping(0.1))
    finally:
        parts.database.close()
    assert [record.message for record in caplog.records] == ["slow query"]
    assert b"etter_db_slow_queries_total 1.0" in parts.metrics.render()


async def test_who_asked_stands_in_the_statement(settings: Settings, start: Start) -> None:
    client = await start(settings)
    watcher = plain_engine(settings.database_url)
    busy = text("SELECT query FROM pg_stat_activity WHERE application_name = 'etter' ")
    await client.get("/health/detailed", headers={"X-Request-ID": "find-me-123"})
    with watcher.connect() as connection:
        statements = connection.execute(busy).scalars().all()
    assert any("/*request_id='find-me-123',route='/health/detailed'*/" in statement for statement in statements)


@pytest.fixture
def own_postgres() -> PostgresServer:
    directory = tempfile.mkdtemp(prefix="veneer-restart-")
    return PostgresServer(Path(directory))


async def test_a_restarted_postgres_is_survived(own_postgres: PostgresServer, settings: Settings, start: Start) -> None:
    own_postgres.start()
    try:
        migrate(own_postgres.url())
        seed(plain_engine(own_postgres.url()), "tiny", quiet=True)
        own = msgspec.structs.replace(settings, database_url=own_postgres.url())
        client, headers = await start(own), bearer(own)
        assert (await client.get("/api/etter/users/42", headers=headers)).status == 200
        own_postgres.stop()
        refused = await client.get("/api/etter/users/42", headers=headers)
        assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
        detailed = (await (await client.get("/health/detailed")).json())["data"]
        assert (detailed["status"], detailed["database"]["status"]) == ("degraded", "down")
        assert (await client.get("/health")).status == 200
        own_postgres.start()
        assert (await client.get("/api/etter/users/42", headers=headers)).status == 200
    finally:
        own_postgres.stop()


async def test_a_restart_under_traffic_costs_503s_and_nothing_else(
    own_postgres: PostgresServer, settings: Settings, start: Start
) -> None:
    own_postgres.start()
    stopped = asyncio.Event()
    statuses: set[int] = set()

    async def ask(client: Client, headers: dict[str, str]) -> None:
        while not stopped.is_set():
            read = await client.get("/api/etter/users?page_size=5", headers=headers)
            write = await client.patch("/api/etter/users/42", headers=headers, json={"title": "Busy"})
            statuses.update((read.status, write.status))

    try:
        migrate(own_postgres.url())
        seed(plain_engine(own_postgres.url()), "tiny", quiet=True)
        own = msgspec.structs.replace(settings, database_url=own_postgres.url())
        client, headers = await start(own), bearer(own)
        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(ask(client, headers))
            await asyncio.to_thread(own_postgres.stop)
            await _until(lambda: 503 in statuses)
            await asyncio.to_thread(own_postgres.start)
            statuses.clear()
            await _until(lambda: 200 in statuses)
            stopped.set()
        assert statuses <= {200, 503}
        assert (await client.get("/api/etter/users/42", headers=headers)).status == 200
    finally:
        own_postgres.stop()


async def _until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not happened():  # noqa: ASYNC110 - what other tasks bring about
            await asyncio.sleep(0.02)
