"""How many statements each read takes: a constant, and far fewer than with lazy loading."""

from __future__ import annotations

import msgspec
import pytest

from backend.settings import Settings
from tests.integration.backend.conftest import Client, Start

READS = {
    "/api/etter/master_companies": 2,
    "/api/etter/companies/7": 2,
    "/api/etter/users?page_size={size}": 2,
    "/api/etter/users?cursor=&page_size={size}": 1,
    "/api/etter/users/42": 2,
    "/api/etter/users/42/history": 2,
    "/api/etter/auto_complete?type=user&q=a": 1,
    "/api/etter/auto_complete?type=task&q=a": 1,
    "/api/etter/workflows?page_size={size}": 2,
    "/api/etter/workflows/5": 2,
    "/api/etter/documents?page_size={size}": 2,
    "/api/etter/projects?page_size={size}": 2,
    "/api/etter/history?page_size={size}": 2,
    "/api/etter/get_chro_data": 2,
    "/api/etter/role_adjacency": 1,
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


@pytest.mark.parametrize("size", [1, 100])
@pytest.mark.parametrize("path", sorted(READS))
async def test_reads_take_a_constant_number(api: Client, member: dict[str, str], path: str, size: int) -> None:
    response = await api.get(path.format(size=size), headers=member)
    assert response.status == 200
    assert int(response.headers["X-DB-Queries"]) == READS[path]


async def test_under_three_on_average_with_writes(api: Client, member: dict[str, str]) -> None:
    for path in READS:
        await api.get(path.format(size=20), headers=member)
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
