"""Hostile input does no harm: injection and markup corpora, and generated requests."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest
from yarl import URL

from tests.integration.etter.conftest import Client

INJECTIONS = (
    "'; DROP TABLE users; --",
    "' OR '1'='1",
    "1); DELETE FROM users WHERE (1=1",
    "' UNION SELECT email FROM users --",
    "\\'; SELECT pg_sleep(10); --",
    "$$; DROP TABLE users; $$",
    "%' OR name LIKE '%",
    "_%\\",
    "%(name)s",
    "{0} %s :q",
    "admin'/*",
    "*/ DROP TABLE users /*",
    "\u02bc; DROP TABLE users",
    "x\u0000y",
    "a' AND (SELECT 1 FROM pg_sleep(5)) IS NOT NULL --",
)
MARKUP = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg/onload=alert(1)>',
    "<!--",
    "a<b",
    "&lt;script&gt;",
    "javascript:alert(1)",
    "\u202egnp.exe",
)
READS = ("users?q=", "users?email=", "users?sort=", "users?fields=", "users?cursor=", "auto_complete?type=user&q=",
         "auto_complete?type=task&q=", "auto_complete?q=a&type=", "documents?q=", "documents?status=", "workflows?q=",
         "master_companies?q=", "master_companies?industry=", "history?status=", "role_adjacency?role_id=",
         "export?kind=", "users/", "documents/", "workflows/")  # fmt: skip


@pytest.fixture(autouse=True)
async def nothing_is_lost(api: Client, platform: dict[str, str]) -> AsyncIterator[None]:
    async def totals() -> list[int]:
        paths = ("users", "documents", "workflows", "history")
        pages = [await (await api.get(f"/api/etter/{path}", headers=platform)).json() for path in paths]
        return [page["data"]["total"] for page in pages]

    before = await totals()
    yield
    assert await totals() == before


@pytest.mark.parametrize("read", READS)
async def test_injection_into_reads(api: Client, member: dict[str, str], read: str) -> None:
    path, question, parameters = read.partition("?")
    for text in INJECTIONS + MARKUP:
        if question:
            *pairs, last = parameters.split("&")
            query = dict(pair.split("=", 1) for pair in pairs) | {last.removesuffix("="): text}
            response = await api.get(f"/api/etter/{path}", headers=member, params=query)
        else:
            response = await api.get(URL(f"/api/etter/{path}{quote(text, safe='')}", encoded=True), headers=member)
        assert response.status in {200, 400, 404}, text
        if response.status == 200:
            # What was searched for is searched for literally, and nothing has these names.
            assert (await response.json())["data"] in ([], {}) or (await response.json())["data"]["items"] == []


@pytest.mark.parametrize("text", [*MARKUP[:5], "x\u0000y", "\ud800"])
async def test_markup_is_refused_in_writes(api: Client, member: dict[str, str], text: str) -> None:
    body = json.dumps({"title": text, "body": "x"}).encode()
    headers = member | {"Content-Type": "application/json"}
    response = await api.post("/api/etter/documents", headers=headers, data=body)
    assert (response.status, (await response.json())["error_code"]) == (400, "VALIDATION_ERROR")


PERSON = {"email": "a.b@company7.example", "name": "Ann", "title": "T"}
ROLE = {"role": "Clerk", "headcount": 1, "avg_salary": 1}
SIMULATION = {"company": "Any", "automation_factor": 0.5, "n_iterations": 10, "roles": [ROLE]}
# Every field that takes a text: method, path, the rest of the body, the field.
TEXTS = [
    *(("POST", "users", PERSON, name) for name in ("name", "title", "bio", "email")),
    *(("PUT", "users/42", PERSON, name) for name in ("name", "title", "bio", "email")),
    *(("PATCH", "users/42", {}, name) for name in ("name", "title", "bio", "email")),
    *(("PATCH", "companies/7", {}, name) for name in ("name", "industry", "country")),
    *(("PATCH", "workflows/3", {}, name) for name in ("name", "description", "status")),
    *(("POST", "projects", {"name": "x"}, name) for name in ("name", "description", "status")),
    *(("POST", "documents", {"title": "x", "body": "x"}, name) for name in ("title", "body", "status")),
    ("POST", "workflows/3/history", {}, "status"),
    ("POST", "simulation/v1", SIMULATION, "company"),
]


@pytest.mark.parametrize(("method", "path", "rest", "name"), TEXTS)
async def test_no_field_takes_markup_or_another_type(
    api: Client,
    member: dict[str, str],
    platform: dict[str, str],
    method: str,
    path: str,
    rest: dict[str, object],
    name: str,
) -> None:
    headers = (platform if path.startswith("workflows/3") else member) | {"Content-Type": "application/json"}
    for value in (*MARKUP[:5], "x\u0000y", "x" * 5000, 7, None, ["x"], {"$ne": ""}, True):
        body = json.dumps({**rest, name: value}).encode()
        response = await api.request(method, f"/api/etter/{path}", headers=headers, data=body)
        assert (response.status, (await response.json())["error_code"]) == (400, "VALIDATION_ERROR"), value


@pytest.mark.parametrize("text", [text for text in INJECTIONS if text.isprintable()])
async def test_no_header_reaches_a_statement(api: Client, member: dict[str, str], text: str) -> None:
    raw = text.encode()
    for name in ("X-Request-ID", "Authorization", "If-None-Match"):
        headers = member | {name: raw.decode("latin-1")}
        response = await api.get("/api/etter/users/42", headers=headers)
        refused = name == "Authorization"
        assert response.status == (401 if refused else 200), name
        assert response.headers["X-Request-ID"] != text


@pytest.mark.parametrize("text", [text for text in INJECTIONS if "\u0000" not in text])
async def test_injection_is_kept_as_text(api: Client, member: dict[str, str], text: str) -> None:
    created = await api.post("/api/etter/documents", headers=member, json={"title": text, "body": text})
    document = (await created.json())["data"]
    assert (document["title"], document["body"]) == (text, text)
    path = f"/api/etter/documents/{document['id']}"
    assert (await (await api.get(path, headers=member)).json())["data"]["title"] == text
    assert (await api.delete(path, headers=member)).status == 200
