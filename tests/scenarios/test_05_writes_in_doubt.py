"""Writes whose outcome nobody knows: until the backend must have ended them, nothing stored answers for them."""

from __future__ import annotations

import asyncio

import pytest

from tests.scenarios.dialogue import HANG_UP, Answer, Dialogue

POLICIES = """
version: 1
routes:
  - name: slow-writes
    match: {path: "/{room}/a", methods: [GET, PUT]}
    read_timeout: 1s
    write_settles: 1500ms
  - name: counted
    match: {path: "/{room}/counted"}
    invalidates_on: [2xx, 3xx]
  - name: login
    match: {path: "/{room}/login"}
    cache: {enabled: false}
"""
FRESH = "Cache-Control: max-age=600"
TOO_LATE = "too late"


async def _until_a_hit(talk: Dialogue, path: str) -> str:
    """Ask until the store answers; what it says then."""
    async with asyncio.timeout(10):
        while True:
            response = await talk.ask(f"GET {path}")
            if "hit" in (response.lines.get("Cache-Status") or ""):
                return response.text()
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("outcome", [TOO_LATE, HANG_UP, "502\n\n", "504\n\n", "503\n\n"])
async def test_what_is_read_between_giving_a_write_up_and_its_late_commit_is_not_served_after_it(
    talk: Dialogue, outcome: Answer
) -> None:
    ended = asyncio.Event()
    talk.answers(f"200\n{FRESH}\n\nold", [ended] if outcome == TOO_LATE else outcome)
    await talk.ask("GET /a")
    answer = await talk.ask("PUT /a", body=b"new")
    assert answer.status in {502, 503, 504}
    talk.answers(f"200\n{FRESH}\n\nstill old")
    assert (await talk.ask("GET /a")).text() == "still old"
    talk.answers(*(f"200\n{FRESH}\n\nnew" for _ in range(200)))  # the backend has committed now
    assert (await talk.ask("GET /a")).text() == "new"
    assert await _until_a_hit(talk, "/a") == "new", "it is stored again once the write must have ended"
    talk.forget_answers()
    ended.set()


@pytest.mark.parametrize("status", ["500", "503\nRetry-After: 1", "507"])
async def test_an_error_of_the_backend_invalidates_and_holds_nothing(talk: Dialogue, status: str) -> None:
    talk.answers(f"200\n{FRESH}\n\nold", f"{status}\n\n", f"200\n{FRESH}\n\nnew")
    await talk.ask("GET /b")
    await talk.ask("PUT /b", body=b"new")
    assert (await talk.ask("GET /b")).text() == "new", "the COMMIT may have gone through"
    assert (await talk.ask("GET /b")).text() == "new"
    assert talk.paths() == ["GET /b", "PUT /b", "GET /b"]


@pytest.mark.parametrize("status", ["200", "502"])
async def test_what_a_response_makes_soft_is_not_its_own_target(talk: Dialogue, status: str) -> None:
    stale = "Cache-Control: max-age=600, stale-while-revalidate=600"
    talk.answers(f"200\n{stale}\n\nold", f"{status}\nX-Cache-Invalidate: lists ;soft\n\n", f"200\n{stale}\n\nnew")
    await talk.ask("GET /b")
    await talk.ask("PUT /b", body=b"new")
    assert (await talk.ask("GET /b")).text() == "new"


async def test_what_a_gateway_gave_up_is_in_doubt_whatever_the_route_counts_as_done(talk: Dialogue) -> None:
    talk.answers(f"200\n{FRESH}\n\nold", "504\n\n", f"200\n{FRESH}\n\nstill old", f"200\n{FRESH}\n\nnew")
    await talk.ask("GET /counted")
    await talk.ask("PUT /counted", body=b"new")
    assert (await talk.ask("GET /counted")).text() == "still old"
    assert (await talk.ask("GET /counted")).text() == "new"


async def test_a_refusal_of_the_client_invalidates_nothing(talk: Dialogue) -> None:
    talk.answers(f"200\n{FRESH}\n\nold", "422\n\n")
    await talk.ask("GET /b")
    await talk.ask("PUT /b", body=b"new")
    assert (await talk.ask("GET /b")).text() == "old"


async def test_a_location_of_a_cached_route_is_invalidated_by_a_write_on_another(talk: Dialogue) -> None:
    talk.answers(f"200\n{FRESH}\n\nold", f"201\nLocation: {talk.at('/b')}\n\n", f"200\n{FRESH}\n\nnew")
    await talk.ask("GET /b")
    await talk.ask("POST /login", body=b"x")
    assert (await talk.ask("GET /b")).text() == "new"
