"""What a token is worth once its user was dismissed, and who may do what within a company."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest
from sqlalchemy import text

from devstack.callers import bearer
from etter.db.engine import plain_engine
from etter.settings import Settings
from tests.integration.etter.conftest import Client, Start

ETTER = "/api/etter"
# In the tiny data user 36 administers company 6 and user 35 is somebody there; 33 was deactivated.
ADMIN, MEMBER, GONE, COMPANY = 36, 35, 33, 6
READS = ("users", "users/35", "users/35/history", "companies/6", "history", "get_chro_data", "documents", "projects")
WRITES: tuple[tuple[str, str, dict[str, object]], ...] = (
    ("PATCH", "users/35", {"title": "Mine"}),
    ("PATCH", "users/33", {"title": "Mine"}),
    ("DELETE", "users/35", {}),
    ("POST", "documents", {"title": "One", "body": "x"}),
    ("POST", "workflows/5/history", {"status": "done"}),
    ("PATCH", "companies/6", {"name": "Mine"}),
    ("POST", "projects", {"name": "One"}),
    ("POST", "auth/check_auth", {}),
)


@pytest.fixture
async def fresh(settings: Settings, start: Start) -> Client:
    """The service as it is shipped: what it has seen of a user counts five seconds."""
    return await start(msgspec.structs.replace(settings, etter_standing_seconds=5.0))


@pytest.fixture
async def newcomer(fresh: Client, settings: Settings) -> AsyncIterator[int]:
    """A user of the company who may be changed and removed."""
    new = {"email": "New.Comer@company6.example", "name": "New Comer", "title": "T"}
    created = await fresh.post(f"{ETTER}/users", headers=bearer(settings, ADMIN, COMPANY), json=new)
    assert created.status == 201
    user = int((await created.json())["data"]["id"])
    yield user
    with plain_engine(settings.database_url).begin() as connection:
        connection.execute(text("DELETE FROM users WHERE id = :user"), {"user": user})


async def test_a_deactivated_user_reads_and_changes_nothing(fresh: Client, settings: Settings) -> None:
    gone = bearer(settings, GONE, COMPANY)
    for path in READS:
        response = await fresh.get(f"{ETTER}/{path}", headers=gone)
        assert (response.status, (await response.json())["error_code"]) == (401, "AUTHENTICATION_ERROR"), path
    for method, path, body in WRITES:
        assert (await fresh.request(method, f"{ETTER}/{path}", headers=gone, json=body)).status == 401, path


async def test_nor_does_one_who_is_not_there_or_works_elsewhere(fresh: Client, settings: Settings) -> None:
    for user, company in ((999_999, COMPANY), (MEMBER, COMPANY + 1)):
        response = await fresh.get(f"{ETTER}/users", headers=bearer(settings, user, company))
        assert response.status == 401
    # Etter's own people are nobody's staff.
    assert (await fresh.get(f"{ETTER}/users", headers=bearer(settings, 999_999, 1, "platform"))).status == 200


async def test_who_is_deactivated_is_out_at_once(fresh: Client, settings: Settings, newcomer: int) -> None:
    own, admin = bearer(settings, newcomer, COMPANY), bearer(settings, ADMIN, COMPANY)
    assert (await fresh.get(f"{ETTER}/users", headers=own)).status == 200
    changed = await fresh.patch(f"{ETTER}/users/{newcomer}", headers=admin, json={"is_active": False})
    assert changed.status == 200
    assert (await fresh.get(f"{ETTER}/users", headers=own)).status == 401
    await fresh.patch(f"{ETTER}/users/{newcomer}", headers=admin, json={"is_active": True})
    assert (await fresh.get(f"{ETTER}/users", headers=own)).status == 200
    assert (await fresh.delete(f"{ETTER}/users/{newcomer}", headers=admin)).status == 200
    assert (await fresh.get(f"{ETTER}/users", headers=own)).status == 401


async def test_writes_never_rely_on_what_is_remembered(fresh: Client, settings: Settings, newcomer: int) -> None:
    own = bearer(settings, newcomer, COMPANY)
    assert (await fresh.get(f"{ETTER}/users", headers=own)).status == 200
    with plain_engine(settings.database_url).begin() as connection:  # not by this process
        connection.execute(text("UPDATE users SET is_active = false WHERE id = :user"), {"user": newcomer})
    written = await fresh.post(f"{ETTER}/documents", headers=own, json={"title": "One", "body": "x"})
    assert written.status == 401


async def test_a_member_changes_themselves_and_no_colleague(fresh: Client, settings: Settings) -> None:
    member = bearer(settings, MEMBER, COMPANY)
    assert (await fresh.patch(f"{ETTER}/users/{MEMBER}", headers=member, json={"title": "Own"})).status == 200
    refused: tuple[tuple[str, str, dict[str, object]], ...] = (
        ("PATCH", "users/36", {"title": "Theirs"}),
        ("PUT", "users/36", {"email": "a.b@company6.example", "name": "A", "title": "B"}),
        ("DELETE", "users/36", {}),
        ("DELETE", "users/35", {}),
        ("POST", "users", {"email": "a.b@company6.example", "name": "A", "title": "B"}),
        ("PATCH", "users/35", {"is_admin": True}),
        ("PATCH", "users/35", {"is_active": False}),
        ("PATCH", "companies/6", {"name": "Theirs"}),
    )
    for method, path, body in refused:
        response = await fresh.request(method, f"{ETTER}/{path}", headers=member, json=body)
        assert (response.status, (await response.json())["error_code"]) == (403, "PERMISSION_DENIED"), (method, path)
    # What belongs to others looks as if it were not there, whoever asks.
    assert (await fresh.patch(f"{ETTER}/users/1", headers=member, json={"title": "Theirs"})).status == 404
    assert (await fresh.patch(f"{ETTER}/companies/1", headers=member, json={"name": "Theirs"})).status == 404


async def test_an_admin_names_another_and_cannot_lock_the_company_out(
    fresh: Client, settings: Settings, newcomer: int
) -> None:
    admin, own = bearer(settings, ADMIN, COMPANY), bearer(settings, newcomer, COMPANY)
    for body in ({"is_admin": False}, {"is_active": False}):
        assert (await fresh.patch(f"{ETTER}/users/{ADMIN}", headers=admin, json=body)).status == 403
    assert (await fresh.delete(f"{ETTER}/users/{ADMIN}", headers=admin)).status == 403
    assert (await fresh.patch(f"{ETTER}/companies/6", headers=admin, json={"country": "AT"})).status == 200
    named = await fresh.patch(f"{ETTER}/users/{newcomer}", headers=admin, json={"is_admin": True})
    assert (await named.json())["data"]["is_admin"] is True
    state = await fresh.post(f"{ETTER}/auth/check_auth", headers=own)
    assert (await state.json())["data"]["is_admin"] is True
    # Replacing somebody's facts leaves what they may do.
    new = {"email": "new.comer@company6.example", "name": "New Comer", "title": "T"}
    assert (await fresh.put(f"{ETTER}/users/{newcomer}", headers=own, json=new)).status == 200
    assert (await fresh.patch(f"{ETTER}/companies/6", headers=own, json={"country": "DE"})).status == 200


async def test_runs_stay_with_the_company_that_they_were_for(fresh: Client, settings: Settings, newcomer: int) -> None:
    path = f"{ETTER}/users/{newcomer}/history"
    done = await fresh.post(
        f"{ETTER}/workflows/5/history", headers=bearer(settings, newcomer, COMPANY), json={"status": "done"}
    )
    assert done.status == 201
    assert len((await (await fresh.get(path, headers=bearer(settings, ADMIN, COMPANY))).json())["data"]) == 1
    with plain_engine(settings.database_url).begin() as connection:
        connection.execute(text("UPDATE users SET company_id = 5 WHERE id = :user"), {"user": newcomer})
    moved = await fresh.get(path, headers=bearer(settings, 30, 5))
    assert (moved.status, (await moved.json())["data"]) == (200, [])


async def test_addresses_are_one_whatever_their_case(fresh: Client, settings: Settings, newcomer: int) -> None:
    admin = bearer(settings, ADMIN, COMPANY)
    user = (await (await fresh.get(f"{ETTER}/users/{newcomer}", headers=admin)).json())["data"]
    assert user["email"] == "new.comer@company6.example"
    again = {"email": "NEW.COMER@Company6.example", "name": "Another", "title": "T"}
    assert (await fresh.post(f"{ETTER}/users", headers=admin, json=again)).status == 409
    taken = await fresh.patch(f"{ETTER}/users/{MEMBER}", headers=admin, json={"email": again["email"]})
    assert taken.status == 409
    found = await fresh.get(f"{ETTER}/users", headers=admin, params={"email": again["email"]})
    assert [one["id"] for one in (await found.json())["data"]["items"]] == [newcomer]
