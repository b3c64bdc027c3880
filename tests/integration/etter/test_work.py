"""Documents, projects, runs, dashboard, adjacency, simulation."""

from __future__ import annotations

import io

import pytest

from devstack.callers import bearer
from etter.settings import Settings
from tests.integration.etter.conftest import Client

ETTER = "/api/etter"


async def test_life_of_a_document(api: Client, member: dict[str, str]) -> None:
    text = "A long story. " * 60
    created = await api.post(f"{ETTER}/documents", headers=member, json={"title": "Story", "body": text})
    document = (await created.json())["data"]
    path = f"{ETTER}/documents/{document['id']}"
    assert (created.status, created.headers["Location"]) == (201, path)
    assert created.headers["Cache-Group-Invalidation"] == f'"document:{document["id"]}", "company:7:documents"'

    listed = await api.get(f"{ETTER}/documents?q=story", headers=member)
    item = (await listed.json())["data"]["items"][0]
    assert item["body"] == text[:199] + "\N{HORIZONTAL ELLIPSIS}"
    assert listed.headers["Cache-Groups"] == '"documents", "company:7:documents"'
    whole = (await (await api.get(path, headers=member)).json())["data"]
    assert whole["body"] == text

    changed = await api.patch(path, headers=member, json={"status": "published"})
    assert (await changed.json())["data"]["status"] == "published"
    assert (await api.delete(path, headers=member)).status == 200
    assert (await api.get(path, headers=member)).status == 404


async def test_documents_of_other_tenants_are_not_there(api: Client, settings: Settings) -> None:
    mine = bearer(settings, 15, 3)
    page = (await (await api.get(f"{ETTER}/documents", headers=mine)).json())["data"]
    path = f"{ETTER}/documents/{page['items'][0]['id']}"
    assert (await api.get(path, headers=mine)).status == 200
    other = bearer(settings, 21, 4)
    for method in ("GET", "DELETE"):
        assert (await api.request(method, path, headers=other)).status == 404
    assert (await api.patch(path, headers=other, json={"title": "Mine"})).status == 404


async def test_projects_are_private_to_their_user(api: Client, settings: Settings) -> None:
    mine, colleague = bearer(settings, 43, 8), bearer(settings, 45, 8)
    created = await api.post(f"{ETTER}/projects", headers=mine, json={"name": "Own"})
    project = (await created.json())["data"]
    path = f"{ETTER}/projects/{project['id']}"
    listed = await api.get(f"{ETTER}/projects", headers=mine)
    assert listed.headers["Cache-Control"] == "private, no-cache"
    assert (await listed.json())["data"]["items"][0]["id"] == project["id"]
    read = await api.get(path, headers=mine)
    assert read.headers["Cache-Control"] == "private, no-cache"
    assert (await api.get(path, headers=colleague)).status == 404
    assert (await api.patch(path, headers=colleague, json={"name": "Theirs"})).status == 404
    changed = await api.patch(path, headers=mine, json={"status": "finished"})
    assert (await changed.json())["data"]["status"] == "finished"
    assert (await api.delete(path, headers=mine)).status == 200


async def test_a_project_needs_an_existing_user(api: Client, settings: Settings) -> None:
    ghost = bearer(settings, user_id=999_999, company_id=7, role="platform")
    refused = await api.post(f"{ETTER}/projects", headers=ghost, json={"name": "Nobody's"})
    assert (refused.status, (await refused.json())["error_code"]) == (409, "CONFLICT")


async def test_dashboard_takes_one_statement(api: Client, member: dict[str, str]) -> None:
    response = await api.get(f"{ETTER}/get_chro_data", headers=member)
    board = (await response.json())["data"]
    assert len(board["lines"]) == 12
    assert sum(sum(line["runs"].values()) for line in board["lines"]) > 50
    assert 0 <= board["average_etter_score"] <= 100
    assert response.headers["X-DB-Queries"] == "1"
    one = await api.get(f"{ETTER}/get_chro_data?workflow_id=5", headers=member)
    assert {line["workflow"]["id"] for line in (await one.json())["data"]["lines"]} == {5}
    assert one.headers["X-DB-Queries"] == "1"


async def test_platform_dashboard_needs_a_workflow(api: Client, platform: dict[str, str]) -> None:
    refused = await api.get(f"{ETTER}/get_chro_data", headers=platform)
    assert (refused.status, (await refused.json())["metadata"]["field"]) == (400, "workflow_id")
    whole = await api.get(f"{ETTER}/get_chro_data?workflow_id=5", headers=platform)
    assert {line["company_id"] for line in (await whole.json())["data"]["lines"]} == set(range(1, 9))


async def test_a_validated_score_is_shown(api: Client, settings: Settings) -> None:
    headers = bearer(settings, user_id=30, company_id=5)
    line = (await (await api.get(f"{ETTER}/get_chro_data", headers=headers)).json())["data"]["lines"][0]
    path = f"{ETTER}/chro_data/{line['id']}"
    changed = await api.patch(path, headers=headers, json={"validated_score": 12.5})
    assert (await changed.json())["data"]["validated_score"] == 12.5
    assert changed.headers["Cache-Group-Invalidation"] == '"company:5:dashboard"'
    refused = await api.patch(path, headers=headers, json={"validated_score": 101})
    assert (await refused.json())["metadata"]["field"] == "validated_score"
    stranger = bearer(settings, user_id=36, company_id=6)
    assert (await api.patch(path, headers=stranger, json={"validated_score": 1})).status == 404


@pytest.mark.parametrize("query", ["", "?status=done", "?user_id=42", "?workflow_id=5&user_id=42&status=done"])
async def test_history_is_of_the_company(api: Client, member: dict[str, str], query: str) -> None:
    response = await api.get(f"{ETTER}/history{query}", headers=member)
    page = (await response.json())["data"]
    assert all((item["user_id"] - 1) // 6 % 8 + 1 == 7 for item in page["items"])
    assert response.headers["X-DB-Queries"] == "2"


async def test_history_of_a_stranger_is_empty(api: Client, member: dict[str, str]) -> None:
    page = (await (await api.get(f"{ETTER}/history?user_id=1", headers=member)).json())["data"]
    assert page["total"] == 0


async def test_role_adjacency_is_public_and_one_statement(api: Client, member: dict[str, str]) -> None:
    response = await api.get(f"{ETTER}/role_adjacency", headers=member)
    roles = (await response.json())["data"]
    assert len(roles) == 24
    assert response.headers["Cache-Control"] == "public, max-age=0, s-maxage=86400"
    assert response.headers["X-DB-Queries"] == "1"
    near = await api.get(f"{ETTER}/role_adjacency?role_id=3&min_similarity=0.5", headers=member)
    (role,) = (await near.json())["data"]
    similarities = [neighbour["similarity"] for neighbour in role["adjacent"]]
    assert similarities == sorted(similarities, reverse=True)
    assert min(similarities) >= 0.5


SIMULATION = {
    "company": "Acme",
    "automation_factor": 0.3,
    "n_iterations": 500,
    "roles": [{"role": "Clerk", "headcount": 100, "avg_salary": 50_000}],
}


async def test_simulation_answers_alike_for_the_same_question(api: Client, member: dict[str, str]) -> None:
    answers = [
        (await (await api.post(f"{ETTER}/simulation/v1", headers=member, json=SIMULATION)).json())["data"]
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert answers[0]["current_cost"] == 5_000_000
    assert answers[0]["status"] == "completed"
    steps = answers[0]["simulation_steps"]
    assert [step["iterations"] for step in steps] == list(range(50, 501, 50))
    assert steps[-1]["mean_savings"] == pytest.approx(answers[0]["savings"]["mean"], abs=0.01)


@pytest.mark.parametrize(
    "change",
    [
        {"n_iterations": 0},
        {"n_iterations": 100_001},
        {"automation_factor": 1.1},
        {"roles": []},
        {"roles": [{"role": "A", "headcount": -1, "avg_salary": 1}]},
        {"roles": [{"role": "A", "headcount": 1, "avg_salary": 1}] * 51, "n_iterations": 100_000},
    ],
)
async def test_simulation_is_bounded(api: Client, member: dict[str, str], change: dict[str, object]) -> None:
    response = await api.post(f"{ETTER}/simulation/v1", headers=member, json=SIMULATION | change)
    assert (response.status, (await response.json())["error_code"]) == (400, "VALIDATION_ERROR")


async def test_large_bodies_are_refused(api: Client, member: dict[str, str]) -> None:
    body = b'{"title": "' + b"x" * 1_100_000 + b'"}'
    headers = member | {"Content-Type": "application/json"}
    response = await api.post(f"{ETTER}/documents", headers=headers, data=io.BytesIO(body))
    assert response.status == 413
    assert (await response.json())["status"] == "failure"


async def test_bodies_must_be_json(api: Client, member: dict[str, str]) -> None:
    for headers, data in (
        ({"Content-Type": "text/plain"}, b"{}"),
        ({"Content-Type": "application/json"}, b"{"),
        ({"Content-Type": "application/json"}, b'"\xff"'),
    ):
        response = await api.post(f"{ETTER}/documents", headers=member | headers, data=data)
        assert (response.status, (await response.json())["error_code"]) == (400, "VALIDATION_ERROR")
