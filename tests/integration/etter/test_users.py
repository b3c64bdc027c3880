"""Users: list, detail, changes, and who may see whom."""

from __future__ import annotations

import pytest

from devstack.callers import bearer
from etter.settings import Settings
from tests.integration.etter.conftest import Client

USERS = "/api/etter/users"


async def test_list_is_of_the_callers_company_only(api: Client, member: dict[str, str]) -> None:
    response = await api.get(USERS, headers=member, params={"page_size": 100})
    page = (await response.json())["data"]
    assert response.status == 200
    assert page["total"] == 30
    assert {user["company_id"] for user in page["items"]} == {7}


async def test_platform_sees_all_companies(api: Client, platform: dict[str, str]) -> None:
    page = await (await api.get(USERS, headers=platform, params={"email": "", "page_size": 100})).json()
    assert page["error_code"] == "VALIDATION_ERROR"
    page = (await (await api.get(USERS, headers=platform, params={"page_size": 100})).json())["data"]
    assert {user["company_id"] for user in page["items"]} == set(range(1, 9))


async def test_list_takes_two_statements_whatever_its_length(api: Client, member: dict[str, str]) -> None:
    for size in ("1", "100"):
        response = await api.get(USERS, headers=member, params={"page_size": size})
        assert response.headers["X-DB-Queries"] == "2"


async def test_detail_takes_one_statement_and_labels_its_groups(api: Client, member: dict[str, str]) -> None:
    response = await api.get(f"{USERS}/42", headers=member)
    user = (await response.json())["data"]
    assert user["company"]["id"] == 7
    assert user["roles"]
    assert user["teams"]
    assert response.headers["X-DB-Queries"] == "1"
    assert response.headers["Cache-Groups"] == '"user:42", "company:7:name"'


async def test_strangers_look_as_if_they_were_not_there(api: Client, member: dict[str, str]) -> None:
    # User 1 works for company 1.
    for method in ("GET", "DELETE"):
        response = await api.request(method, f"{USERS}/1", headers=member)
        assert response.status == 404
        assert (await response.json())["error_code"] == "NOT_FOUND"
    changed = await api.patch(f"{USERS}/1", headers=member, json={"title": "Mine"})
    assert changed.status == 404


async def test_life_of_a_user(api: Client, member: dict[str, str]) -> None:
    new = {"email": "life@company7.example", "name": "Life Cycle", "title": "Tester"}
    created = await api.post(USERS, headers=member, json=new)
    user = (await created.json())["data"]
    path = f"{USERS}/{user['id']}"
    assert created.status == 201
    assert created.headers["Location"] == path
    assert created.headers["Cache-Group-Invalidation"] == '"company:7:staff"'
    assert created.headers["Cache-Control"] == "no-store"

    changed = await api.patch(path, headers=member, json={"title": "Chief tester"})
    assert (await changed.json())["data"]["title"] == "Chief tester"
    replaced = await api.put(path, headers=member, json=new | {"is_active": False})
    assert (await replaced.json())["data"]["is_active"] is False
    read = (await (await api.get(path, headers=member)).json())["data"]
    assert (read["title"], read["is_active"]) == ("Tester", False)

    deleted = await api.delete(path, headers=member)
    assert deleted.status == 200
    assert f'"user:{user["id"]}"' in deleted.headers["Cache-Group-Invalidation"]
    assert (await api.get(path, headers=member)).status == 404


async def test_an_address_belongs_to_one_user(api: Client, member: dict[str, str]) -> None:
    taken = (await (await api.get(f"{USERS}/42", headers=member)).json())["data"]["email"]
    new = {"email": taken, "name": "Second", "title": "Copy"}
    refused = await api.post(USERS, headers=member, json=new)
    assert refused.status == 409
    assert (await refused.json())["error_code"] == "CONFLICT"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email": "not-an-address", "name": "A", "title": "B"}, "email"),
        ({"email": "a@b.example", "name": "<script>alert(1)</script>", "title": "B"}, "name"),
        ({"email": "a@b.example", "name": "A" * 121, "title": "B"}, "name"),
        ({"email": "a@b.example", "name": " ", "title": "B"}, "name"),
        ({"email": "a@b.example", "name": "A\u0000B", "title": "B"}, "name"),
        ({"email": "a@b.example", "name": "A", "title": "B", "company_id": 1}, "body"),
        ({"email": "a@b.example", "name": "A"}, "body"),
        ([], "body"),
    ],
)
async def test_bad_bodies_name_the_field(api: Client, member: dict[str, str], body: object, field: str) -> None:
    response = await api.post(USERS, headers=member, json=body)
    failure = await response.json()
    assert response.status == 400
    assert failure["status"] == "failure"
    assert failure["error_code"] == "VALIDATION_ERROR"
    assert failure["metadata"]["field"] == field


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("email", "not-an-address", "Expected an e-mail address, like ada@company.example"),
        ("name", " A", "Expected text that begins with no blank"),
        ("bio", "<b>", "Expected text without < and >"),
    ],
)
async def test_what_is_wrong_is_said_in_words(
    api: Client, member: dict[str, str], name: str, value: str, words: str
) -> None:
    body = {"email": "a@b.example", "name": "A", "title": "B", name: value}
    failure = await (await api.post(USERS, headers=member, json=body)).json()
    assert failure["message"].startswith(words)
    assert failure["metadata"]["field"] == name
    for path in (f"{USERS}?cursor=!", f"{USERS}?fields=A-B"):
        said = await (await api.get(path, headers=member)).json()
        assert "regex" not in said["message"]
        assert said["message"].startswith("Expected ")


async def test_fields_choose_columns(api: Client, member: dict[str, str]) -> None:
    whole = await (await api.get(USERS, headers=member)).read()
    response = await api.get(USERS, headers=member, params={"fields": "id,name"})
    sparse = await response.read()
    assert all(set(user) == {"id", "name"} for user in (await response.json())["data"]["items"])
    assert len(sparse) < 0.6 * len(whole)
    refused = await api.get(USERS, headers=member, params={"fields": "id,password"})
    assert (await refused.json())["metadata"]["unknown"] == "password"


@pytest.mark.parametrize("sort", ["id", "-id", "name", "-name", "created_at", "-created_at"])
async def test_cursor_walks_the_whole_list_once(api: Client, member: dict[str, str], sort: str) -> None:
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        params = {"cursor": cursor, "page_size": "7", "sort": sort, "is_active": "true"}
        page = (await (await api.get(USERS, headers=member, params=params)).json())["data"]
        seen += [user["id"] for user in page["items"]]
        cursor = page["next_cursor"]
    params = {"page_size": "100", "sort": sort, "is_active": "true"}
    numbered = (await (await api.get(USERS, headers=member, params=params)).json())["data"]
    assert seen == [user["id"] for user in numbered["items"]]
    assert len(seen) == len(set(seen)) > 7


async def test_pages_link_to_each_other(api: Client, member: dict[str, str]) -> None:
    response = await api.get(USERS, headers=member, params={"page": 2, "page_size": 10})
    page = (await response.json())["data"]
    assert (page["page"], page["total_pages"], page["has_next"], page["has_previous"]) == (2, 3, True, True)
    assert f'<{USERS}?page=3&page_size=10>; rel="next"' in response.headers["Link"]
    assert page["links"]["prev"] == f"{USERS}?page=1&page_size=10"
    last = (await (await api.get(page["links"]["last"], headers=member)).json())["data"]
    assert (last["has_next"], last["links"].get("next")) == (False, None)


@pytest.mark.parametrize(
    "params",
    [
        {"page": "0"},
        {"page": "-1"},
        {"page": "x"},
        {"page": "4", "page_size": "10"},
        {"page_size": "0"},
        {"page_size": "101"},
        {"page": "1000", "page_size": "100"},
        {"sort": "password"},
        {"cursor": "!"},
        {"cursor": "bm90IGpzb24"},
        {"cursor": "WyJ4IiwxXQ", "sort": "id"},
        {"q": ""},
        {"q": "<b>"},
        {"is_active": "maybe"},
    ],
)
async def test_input_out_of_range_is_refused(api: Client, member: dict[str, str], params: dict[str, str]) -> None:
    response = await api.get(USERS, headers=member, params=params)
    assert response.status == 400
    assert (await response.json())["error_code"] == "VALIDATION_ERROR"


async def test_a_parameter_given_twice_is_refused(api: Client, member: dict[str, str]) -> None:
    response = await api.get(f"{USERS}?page=1&page=2", headers=member)
    assert (response.status, (await response.json())["metadata"]["field"]) == (400, "page")


async def test_search_takes_wildcards_literally(api: Client, member: dict[str, str]) -> None:
    page = (await (await api.get(USERS, headers=member, params={"q": "%"})).json())["data"]
    assert page["total"] == 0


async def test_runs_of_a_user(api: Client, member: dict[str, str]) -> None:
    response = await api.get(f"{USERS}/42/history", headers=member)
    runs = (await response.json())["data"]
    assert runs
    assert {run["user"]["id"] for run in runs} == {42}
    assert response.headers["X-DB-Queries"] == "2"
    assert (await api.get(f"{USERS}/1/history", headers=member)).status == 404


async def test_a_token_is_needed(api: Client, settings: Settings) -> None:
    expired = bearer(settings, hours=-1)
    forged = {"Authorization": bearer(settings)["Authorization"][:-3] + "abc"}
    for headers in ({}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer x.y.z"}, expired, forged):
        response = await api.get(f"{USERS}/42", headers=headers)
        assert response.status == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
        assert (await response.json())["error_code"] == "AUTHENTICATION_ERROR"


async def test_answers_that_concern_a_company_say_nothing_to_caches(api: Client, member: dict[str, str]) -> None:
    # Nor does anything that a client may add: a field that another cache would vary on is a credential of its own.
    extra: tuple[dict[str, str], ...] = ({}, {"Etter-Company-Pass": "7.1.0123"})
    for fields in extra:
        response = await api.get(f"{USERS}/42", headers=member | fields)
        assert response.status == 200
        assert not {"Cache-Control", "Vary"} & set(response.headers)


async def test_platform_answers_are_private(api: Client, platform: dict[str, str]) -> None:
    response = await api.get(USERS, headers=platform)
    assert response.headers["Cache-Control"] == "private, no-cache"
