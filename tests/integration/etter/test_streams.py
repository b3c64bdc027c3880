"""Exports."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager

import msgspec
import pytest
from sqlalchemy import text

from devstack.callers import bearer
from devstack.process import wait_until
from etter.app import make_parts
from etter.db.engine import plain_engine
from etter.errors import UnavailableError
from etter.queries.exports import EXPORTS
from etter.settings import Settings
from tests.integration.etter.conftest import Client, Start

EXPORT = "/api/etter/export"


@pytest.mark.parametrize("kind", ["users", "documents", "history"])
async def test_ndjson_and_csv_hold_the_same_rows(api: Client, member: dict[str, str], kind: str) -> None:
    lines = await (await api.get(EXPORT, headers=member, params={"kind": kind})).text()
    rows = [json.loads(line) for line in lines.splitlines()]
    response = await api.get(EXPORT, headers=member, params={"kind": kind, "format": "csv"})
    table = list(csv.DictReader(io.StringIO(await response.text())))
    assert [row["id"] for row in rows] == [int(row["id"]) for row in table]
    assert len(rows) > 20
    assert list(rows[0]) == list(table[0])
    assert response.headers["Cache-Control"] == "private, no-store"
    assert response.headers["X-Request-ID"]
    assert response.content_type == "text/csv"


async def test_exports_are_of_the_company(api: Client, member: dict[str, str], platform: dict[str, str]) -> None:
    mine = (await (await api.get(EXPORT, headers=member, params={"kind": "users"})).text()).splitlines()
    everything = (await (await api.get(EXPORT, headers=platform, params={"kind": "users"})).text()).splitlines()
    assert {json.loads(line)["company_id"] for line in mine} == {7}
    assert len(everything) >= 240


async def test_formulas_are_disarmed_in_csv(api: Client, member: dict[str, str]) -> None:
    new = {"title": "=HYPERLINK(A1)", "body": "x"}
    await api.post("/api/etter/documents", headers=member, json=new)
    exported = await api.get(EXPORT, headers=member, params={"kind": "documents", "format": "csv"})
    titles = [row["title"] for row in csv.DictReader(io.StringIO(await exported.text()))]
    assert "'=HYPERLINK(A1)" in titles


async def test_few_streams_run_at_a_time(settings: Settings) -> None:
    parts = make_parts(msgspec.structs.replace(settings, etter_exports=3, etter_exports_per_company=2))
    streams = [parts.database.stream(EXPORTS["history"](None), owner) for owner in (7, 7, 7, 8, 9)]
    try:
        for stream in streams[:2]:
            assert len(await anext(stream)) == 1000
        with pytest.raises(UnavailableError, match="Your company"):
            await anext(streams[2])
        assert len(await anext(streams[3])) == 1000
        with pytest.raises(UnavailableError, match="Too many"):
            await anext(streams[4])
        for stream in streams:
            await stream.aclose()
        # Abandoned streams have given their connections and their places back.
        again = parts.database.stream(EXPORTS["history"](None), 9)
        assert len(await anext(again)) == 1000
        await again.aclose()
    finally:
        parts.database.close()
    assert parts.database.engine.pool.status().endswith("Current Checked out connections: 0")


@pytest.fixture
def large(settings: Settings) -> Iterator[str]:
    """Documents of company 8, far more than the buffers on the way to a client hold."""
    engine = plain_engine(settings.database_url)
    with engine.begin() as connection:
        many = "SELECT 8, 'Large', repeat('x', 20000), 'draft' FROM generate_series(1, 4000)"
        connection.execute(text(f"INSERT INTO documents (tenant_id, title, body, status) {many}"))
    yield f"{EXPORT}?kind=documents"
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM documents WHERE title = 'Large'"))


@asynccontextmanager
async def never_reading(api: Client, path: str, headers: dict[str, str], times: int) -> AsyncIterator[None]:
    """Clients that ask and do not read what comes."""
    with ExitStack() as stack:
        for _ in range(times):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(client, ("127.0.0.1", api.server.port or 0))
            fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            await loop.sock_sendall(client, f"GET {path} HTTP/1.1\r\nHost: etter\r\n{fields}\r\n".encode())
            assert (await loop.sock_recv(client, 12)).endswith(b"200")
        yield


def idle_transactions(settings: Settings) -> int:
    """Transactions in which nothing happens, of this test's own application name."""
    with plain_engine(settings.database_url).connect() as connection:
        counted = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in tr%' AND application_name = :name"
        return int(connection.execute(text(counted), {"name": settings.db_application_name}).scalar_one())


async def until(condition: Callable[[], bool]) -> None:
    assert await asyncio.to_thread(wait_until, condition, timeout_s=30)


async def test_who_does_not_read_costs_other_companies_nothing(
    settings: Settings, start: Start, large: str, member: dict[str, str]
) -> None:
    api = await start(settings)
    async with never_reading(api, large, bearer(settings, 43, 8), 2):
        refused = await api.get(large, headers=bearer(settings, 43, 8))
        assert (refused.status, refused.headers["Retry-After"]) == (503, "10")
        answer = await api.get(EXPORT, headers=member, params={"kind": "documents"})
        assert answer.status == 200
        assert await answer.text()


async def test_who_does_not_read_is_left_after_a_while(settings: Settings, start: Start, large: str) -> None:
    own = msgspec.structs.replace(settings, etter_export_stall_seconds=2.0, db_application_name="stalled")
    api = await start(own)
    headers = bearer(settings, 43, 8)
    async with never_reading(api, large, headers, 2):
        await until(lambda: idle_transactions(own) == 2)
        await until(lambda: idle_transactions(own) == 0)
        answer = await api.get(large, headers=headers)
        assert answer.status == 200
        answer.close()


async def test_who_reads_a_little_now_and_then_is_left_too(settings: Settings, start: Start, large: str) -> None:
    own = msgspec.structs.replace(settings, etter_export_seconds=1.5, db_application_name="dripping")
    api = await start(own)
    async with never_reading(api, large, bearer(settings, 43, 8), 1):
        await until(lambda: idle_transactions(own) == 1)
        await until(lambda: idle_transactions(own) == 0)


async def test_postgres_itself_ends_a_transaction_that_lies_idle(settings: Settings, large: str) -> None:
    own = msgspec.structs.replace(settings, etter_export_seconds=1.5, db_application_name="forgotten")
    parts = make_parts(own)
    stream = parts.database.stream(EXPORTS["documents"](None), 7)
    try:
        await anext(stream)
        await until(lambda: idle_transactions(own) == 1)
        # And then nobody takes the rest: the loop hangs, the process is stopped.
        await until(lambda: idle_transactions(own) == 0)
        await stream.aclose()
    finally:
        parts.database.close()
