"""How many statements each read takes: a constant, and far fewer than with lazy loading."""

from __future__ import annotations

import re

import msgspec
import pytest
from sqlalchemy import text

from etter.app import make_parts, make_standing, route_table
from etter.db.engine import plain_engine
from etter.settings import Settings
from tests.integration.etter.conftest import Client, Start

# Each read asked for little and for much, and the statements that either takes.
READS = {
    "master_companies": ("master_companies?page_size=1", "master_companies?page_size=100", 2),
    "companies, by cursor": ("master_companies?cursor=&page_size=1", "master_companies?cursor=&page_size=100", 1),
    "company": ("companies/7", "companies/7", 2),
    "users": ("users?page_size=1", "users?page_size=100", 2),
    "users, by cursor": ("users?cursor=&page_size=1", "users?cursor=&page_size=100", 1),
    "users, searched": ("users?q=a&page_size=1", "users?q=a&page_size=100", 2),
    "user": ("users/42", "users/42", 1),
    "runs of user": ("users/{idle}/history", "users/{busy}/history", 2),
    "completion": ("auto_complete?type=user&q=nobody", "auto_complete?type=user&q=a", 1),
    "tasks": ("auto_complete?type=task&q=nothing", "auto_complete?type=task&q=a", 1),
    "workflows": ("workflows?page_size=1", "workflows?page_size=100", 2),
    "workflow": ("workflows/{unused}", "workflows/{used}", 2),
    "documents": ("documents?page_size=1", "documents?page_size=100", 2),
    "projects": ("projects?page_size=1", "projects?page_size=100", 2),
    "history": ("history?page_size=1", "history?page_size=100", 2),
    "get_chro_data": ("get_chro_data?workflow_id={used}", "get_chro_data", 1),
    "role_adjacency": ("role_adjacency?role_id=1", "role_adjacency", 1),
}
LAZY = {
    "/api/etter/users?page_size=20&fields=id": 20,
    "/api/etter/users/42": 4,
    "/api/etter/users/42/history": 5,
    "/api/etter/companies/7": 5,
    "/api/etter/workflows/5": 10,
    "/api/etter/get_chro_data": 20,
    "/api/etter/role_adjacency": 20,
}


@pytest.fixture
def rows(settings: Settings) -> dict[str, int]:
    """Users of company 7 with no run and with the most, and workflows likewise."""
    with plain_engine(settings.database_url).connect() as connection:

        def pick(column: str, table: str, order: str) -> int:
            counted = (
                f"SELECT one.id FROM {table} one LEFT JOIN user_workflow_history run ON run.{column} = one.id "
                f"{'WHERE one.company_id = 7' if table == 'users' else ''} GROUP BY one.id "
                f"ORDER BY count(run.id) {order}, one.id LIMIT 1"
            )
            return int(connection.execute(text(counted)).scalar_one())

        return {
            "idle": pick("user_id", "users", "ASC"),
            "busy": pick("user_id", "users", "DESC"),
            "unused": pick("workflow_id", "workflows", "ASC"),
            "used": pick("workflow_id", "workflows", "DESC"),
        }


@pytest.mark.parametrize("name", sorted(READS))
async def test_reads_take_a_constant_number(
    api: Client, member: dict[str, str], rows: dict[str, int], name: str
) -> None:
    *paths, wanted = READS[name]
    for path in paths:
        response = await api.get("/api/etter/" + str(path).format(**rows), headers=member)
        assert response.status == 200
        assert int(response.headers["X-DB-Queries"]) == wanted <= 2


def test_every_read_of_the_api_is_counted(settings: Settings) -> None:
    parts = make_parts(settings)
    parts.database.close()
    routes = route_table(parts, make_standing(parts), lambda: pytest.fail("no service is asked"))
    reads = {route.path for route in routes if route.method == "GET"}
    # These take what they stream, explain, or ask of others.
    other = {"export", "explain", "companies/{id}/enrichment", "documents/{id}", "projects/{id}"}
    counted = {path.partition("?")[0] for name in READS for path in READS[name][:2]}
    counted = {re.sub(r"/(\d+|\{\w+\})", "/{id}", path) for path in counted}
    assert {path.removeprefix("/api/etter/") for path in reads} == counted | other


async def test_under_three_on_average_with_writes(api: Client, member: dict[str, str], rows: dict[str, int]) -> None:
    for _, path, _ in READS.values():
        await api.get("/api/etter/" + path.format(**rows), headers=member)
    for title in ("One", "Two"):
        await api.patch("/api/etter/users/90", headers=member, json={"title": title})
    lines = (await (await api.get("/metrics")).text()).splitlines()
    numbers = {line.split()[0]: float(line.split()[1]) for line in lines if not line.startswith("#")}
    name = "etter_db_queries_per_request"
    assert numbers[f"{name}_sum"] / numbers[f"{name}_count"] < 3


@pytest.mark.parametrize("path", sorted(LAZY))
async def test_the_switch_shows_what_lazy_loading_costs(
    api: Client, settings: Settings, start: Start, member: dict[str, str], path: str
) -> None:
    lazy = await start(msgspec.structs.replace(settings, etter_unoptimised=True))
    slow = await lazy.get(path, headers=member)
    fast = await api.get(path, headers=member)
    assert int(slow.headers["X-DB-Queries"]) >= LAZY[path] > int(fast.headers["X-DB-Queries"])
    if "fields" not in path:
        assert (await slow.json())["data"] == (await fast.json())["data"]
