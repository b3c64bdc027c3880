"""Exports."""

from __future__ import annotations

import csv
import io
import json

import pytest
from sqlalchemy import text

from etter.app import make_parts
from etter.errors import UnavailableError
from etter.queries.exports import EXPORTS
from etter.settings import Settings
from tests.integration.etter.conftest import Client

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
    parts = make_parts(settings)
    streams = [parts.database.stream(EXPORTS["history"](None)) for _ in range(3)]
    try:
        for stream in streams[:2]:
            assert len(await anext(stream)) == 1000
        with pytest.raises(UnavailableError):
            await anext(streams[2])
        for stream in streams:
            await stream.aclose()
        # Abandoned streams have given their connections back.
        rest = await parts.database.read(lambda session: session.execute(text("SELECT 1")).scalar_one())
        assert rest == 1
    finally:
        parts.database.close()
    assert parts.database.engine.pool.status().endswith("Current Checked out connections: 0")
