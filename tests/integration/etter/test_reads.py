"""Companies, workflows, autocomplete, authentication, operations."""

from __future__ import annotations

import pytest

from devstack.callers import bearer
from etter.settings import Settings
from tests.integration.etter.conftest import Client


async def test_master_companies_are_public(api: Client, member: dict[str, str]) -> None:
    response = await api.get("/api/etter/master_companies", headers=member, params={"page_size": 3})
    body = await response.json()
    assert body["status"] == "success"
    assert body["data"]["total"] == 8
    assert body["timestamp"]
    assert response.headers["Cache-Control"] == "public, max-age=0, s-maxage=3600"
    assert "Vary" not in response.headers
    assert response.headers["Cache-Groups"].startswith('"companies", "company:')


async def test_company_detail_counts_its_people(api: Client, member: dict[str, str]) -> None:
    response = await api.get("/api/etter/companies/7", headers=member)
    company = (await response.json())["data"]
    assert company["users"] == 30
    assert sum(team["members"] for team in company["teams"]) == 30
    assert response.headers["X-DB-Queries"] == "2"
    assert (await api.get("/api/etter/companies/8", headers=member)).status == 404


async def test_company_change_reaches_the_master_list(api: Client, settings: Settings) -> None:
    headers = bearer(settings, user_id=12, company_id=2)
    changed = await api.patch("/api/etter/companies/2", headers=headers, json={"country": "NL"})
    assert (await changed.json())["data"]["country"] == "NL"
    assert changed.headers["Cache-Group-Invalidation"] == '"company:2"'
    moved = await api.patch("/api/etter/companies/2", headers=headers, json={"industry": "Media"})
    assert moved.headers["Cache-Group-Invalidation"] == '"company:2", "companies"'
    refused = await api.patch("/api/etter/companies/3", headers=headers, json={"country": "NL"})
    assert refused.status == 404


async def test_workflow_detail(api: Client, member: dict[str, str]) -> None:
    response = await api.get("/api/etter/workflows/3", headers=member)
    workflow = (await response.json())["data"]
    assert [step["position"] for step in workflow["steps"]] == [1, 2, 3, 4, 5, 6]
    assert workflow["history"]
    assert response.headers["X-DB-Queries"] == "2"
    assert response.headers["Cache-Groups"].startswith('"workflow:3", "company:7:workflow:3", "user:')


async def test_only_the_platform_changes_the_library(
    api: Client, member: dict[str, str], platform: dict[str, str]
) -> None:
    refused = await api.patch("/api/etter/workflows/4", headers=member, json={"name": "Mine"})
    assert (refused.status, (await refused.json())["error_code"]) == (403, "PERMISSION_DENIED")
    changed = await api.patch("/api/etter/workflows/4", headers=platform, json={"name": "Renamed"})
    assert changed.headers["Cache-Group-Invalidation"] == '"workflow:4", "workflows"'
    page = (await (await api.get("/api/etter/workflows?q=renamed", headers=member)).json())["data"]
    assert [one["id"] for one in page["items"]] == [4]
    assert (await api.patch("/api/etter/workflows/999", headers=platform, json={})).status == 404


async def test_a_recorded_run_is_shown(api: Client, member: dict[str, str]) -> None:
    recorded = await api.post("/api/etter/workflows/5/history", headers=member, json={"status": "failed"})
    run = (await recorded.json())["data"]
    assert recorded.status == 201
    assert '"company:7:workflow:5"' in recorded.headers["Cache-Group-Invalidation"]
    shown = (await (await api.get("/api/etter/workflows/5", headers=member)).json())["data"]["history"]
    assert shown[0]["id"] == run["id"]


@pytest.mark.parametrize(("kind", "text"), [("user", "a"), ("task", "invoice"), ("user", "nosuch@")])
async def test_auto_complete(api: Client, member: dict[str, str], kind: str, text: str) -> None:
    response = await api.get("/api/etter/auto_complete", headers=member, params={"type": kind, "q": text})
    found = (await response.json())["data"]
    assert response.headers["X-DB-Queries"] == "1"
    assert len(found) <= 10
    assert all(text in one["label"].lower() for one in found)
    assert bool(found) is not text.endswith("@")


async def test_auto_complete_by_address(api: Client, member: dict[str, str]) -> None:
    email = (await (await api.get("/api/etter/users/42", headers=member)).json())["data"]["email"]
    query = {"type": "user", "q": email.partition("@")[0] + "@"}
    found = (await (await api.get("/api/etter/auto_complete", headers=member, params=query)).json())["data"]
    assert [one["id"] for one in found] == [42]


@pytest.mark.parametrize(
    ("path", "seconds"),
    [
        ("master_companies", 3600),
        ("auto_complete?type=task&q=a", 600),
        ("workflows", 1800),
        ("role_adjacency", 86_400),
        ("companies/7", None),
        ("auto_complete?type=user&q=a", None),
        ("workflows/3", None),
    ],
)
async def test_the_lifetimes_of_the_requirements(
    api: Client, member: dict[str, str], path: str, seconds: int | None
) -> None:
    """Of what concerns a company the policy file says how long: test_shipped compares it with the routes."""
    response = await api.get(f"/api/etter/{path}", headers=member)
    expected = None if seconds is None else f"public, max-age=0, s-maxage={seconds}"
    assert response.headers.get("Cache-Control") == expected


async def test_check_auth_tells_who_the_caller_is(api: Client, member: dict[str, str]) -> None:
    response = await api.post("/api/etter/auth/check_auth", headers=member)
    state = (await response.json())["data"]
    assert (state["user_id"], state["company_id"], state["role"], state["is_admin"]) == (42, 7, "member", True)
    assert response.headers["Cache-Control"] == "no-store"


async def test_unknown_paths_and_methods_get_the_typed_body(api: Client, member: dict[str, str]) -> None:
    missing = await api.get("/api/etter/nothing", headers=member)
    assert (missing.status, (await missing.json())["error_code"]) == (404, "NOT_FOUND")
    wrong = await api.delete("/api/etter/master_companies", headers=member)
    assert (wrong.status, (await wrong.json())["error_code"]) == (405, "METHOD_NOT_ALLOWED")
    assert "GET" in wrong.headers["Allow"]


async def test_request_id_is_taken_or_made(api: Client) -> None:
    given = await api.get("/health", headers={"X-Request-ID": "abc-123"})
    assert given.headers["X-Request-ID"] == "abc-123"
    forged = await api.get("/health", headers={"X-Request-ID": "x'*/; DROP TABLE users"})
    assert len(forged.headers["X-Request-ID"]) == 32


@pytest.mark.parametrize(
    "path", ["users/42", "companies/7", "workflows/3", "documents/{document}", "projects/{project}"]
)
async def test_fields_choose_what_of_a_detail_travels(api: Client, member: dict[str, str], path: str) -> None:
    rows = {}
    for kind, new in (("document", {"title": "One", "body": "x" * 500}), ("project", {"name": "One"})):
        created = await api.post(f"/api/etter/{kind}s", headers=member, json=new)
        rows[kind] = (await created.json())["data"]["id"]
    url = f"/api/etter/{path.format(**rows)}"
    whole = await (await api.get(url, headers=member)).json()
    response = await api.get(url, headers=member, params={"fields": "id,created_at"})
    assert (await response.json())["data"] == {name: whole["data"][name] for name in ("id", "created_at")}
    refused = await api.get(url, headers=member, params={"fields": "id,password"})
    assert (refused.status, (await refused.json())["metadata"]["unknown"]) == (400, "password")


@pytest.mark.parametrize("path", ["/metrics", "/health/detailed", "/openapi.json"])
@pytest.mark.parametrize("field", ["Via", "Forwarded", "X-Forwarded-For"])
async def test_what_is_for_operators_is_not_there_through_a_proxy(api: Client, path: str, field: str) -> None:
    assert (await api.get(path)).status == 200
    through = await api.get(path, headers={field: "1.1 veneer"})
    assert (through.status, (await through.json())["error_code"]) == (404, "NOT_FOUND")
    assert through.headers["Cache-Control"] == "no-store"


async def test_liveness_below_the_api(api: Client) -> None:
    response = await api.get("/api/etter/health", headers={"Via": "1.1 veneer"})
    assert (response.status, (await response.json())["data"]["status"]) == (200, "healthy")


async def test_health_and_metrics(api: Client, member: dict[str, str]) -> None:
    assert (await (await api.get("/health")).json())["data"]["status"] == "healthy"
    detailed = (await (await api.get("/health/detailed")).json())["data"]
    assert (detailed["status"], detailed["database"]["status"]) == ("healthy", "up")
    await api.get("/api/etter/users/42", headers=member)
    text = await (await api.get("/metrics")).text()
    assert 'etter_requests_total{method="GET",route="/api/etter/users/{id}",status="200"} 1.0' in text
    assert "etter_db_pool_capacity 6.0" in text
    assert 'etter_db_queries_per_request_bucket{le="2.0"}' in text
