"""What one tenant writes, and what of the others' stays: at the target nothing, and by policy what is theirs.

The key of each route but /shared tells tenants apart. All writes invalidate as RFC 9111 section 4.4 says, but those
whose response names what it changed.
"""

from __future__ import annotations

import pytest

from tests.scenarios.dialogue import HANG_UP, Answer, Dialogue

POLICIES = """\
version: 1
defaults:
  spare_target_keyed_by: [X-Tenant]
  cache: {key: {headers: [X-Tenant]}}
routes:
  - {name: shared, match: {path: "/{room}/shared"}, cache: {key: {headers: []}}}
  - {name: plain, match: {path: "/{room}/plain", methods: [POST]}, spare_target_keyed_by: []}
  - {name: get-only, match: {path: "/{room}/got", methods: [GET]}}
  - {name: asked, match: {path: "/{room}/asked", methods: [QUERY]}, cache: {key: {headers: []}}}
  - {name: typed, match: {path: "/{room}/typed", query: {type: a}}, cache: {key: {headers: []}}}
"""
A, B = "X-Tenant: a", "X-Tenant: b"


def page(text: str, group: str) -> str:
    return f'200\nCache-Control: s-maxage=600\nCache-Groups: "{group}"\n\n{text}'


async def stored(talk: Dialogue, path: str) -> None:
    """Each tenant's page is stored; they are in groups of their own."""
    talk.answers(page("a's", "docs-a"), page("b's", "docs-b"))
    assert (await talk.ask(f"GET {path}", A)).text() == "a's"
    assert (await talk.ask(f"GET {path}", B)).text() == "b's"


async def left(talk: Dialogue, path: str) -> list[str]:
    """What is still stored: the pages of a and b, empty where they are not."""
    pages = [await talk.ask(f"GET {path}", who, "Cache-Control: only-if-cached") for who in (A, B)]
    return [page.text() if page.status == 200 else "" for page in pages]


async def test_a_write_that_names_its_groups_leaves_the_other_tenants_pages(talk: Dialogue) -> None:
    await stored(talk, "/docs")
    talk.answers('201\nCache-Group-Invalidation: "docs-a"\n\n')
    assert (await talk.ask("POST /docs", A, body=b"x")).status == 201
    assert await left(talk, "/docs") == ["", "b's"]


@pytest.mark.parametrize(
    "answer",
    ["201\n\n", "204\n", HANG_UP, '500\nCache-Group-Invalidation: "docs-a"\n\n'],
    ids=["silent", "empty", "lost", "failed"],
)
async def test_a_write_that_names_nothing_or_failed_ends_them_all(talk: Dialogue, answer: Answer) -> None:
    await stored(talk, "/docs")
    talk.answers(answer)
    await talk.ask("POST /docs", A, body=b"x")
    assert await left(talk, "/docs") == ["", ""]


async def test_what_is_not_keyed_by_tenant_is_ended(talk: Dialogue) -> None:
    talk.answers(page("for all", "docs"), '201\nCache-Group-Invalidation: "docs-a"\n\n')
    assert (await talk.ask("GET /shared", A)).text() == "for all"
    await talk.ask("POST /shared", A, body=b"x")
    assert await left(talk, "/shared") == ["", ""]


async def test_a_route_may_be_for_get_alone(talk: Dialogue) -> None:
    await stored(talk, "/got")
    talk.answers('201\nCache-Group-Invalidation: "docs-a"\n\n')
    await talk.ask("POST /got", A, body=b"x")
    assert await left(talk, "/got") == ["", "b's"]


async def test_what_a_query_brings_without_the_tenant_is_ended_with_all_else(talk: Dialogue) -> None:
    await stored(talk, "/asked")
    talk.answers(page("found", "other"), '201\nCache-Group-Invalidation: "docs-a"\n\n', page("found anew", "other"))
    ask = ("QUERY /asked", "Content-Type: text/plain")
    assert (await talk.ask(*ask, body=b"q")).text() == "found"
    assert (await talk.ask(*ask, body=b"q")).text() == "found"
    await talk.ask("POST /asked", A, body=b"x")
    assert await left(talk, "/asked") == ["", ""]
    assert (await talk.ask(*ask, body=b"q")).text() == "found anew"


async def test_nor_is_a_path_under_which_another_route_stores_without_the_tenant(talk: Dialogue) -> None:
    await stored(talk, "/typed")
    talk.answers('201\nCache-Group-Invalidation: "docs-a"\n\n')
    await talk.ask("POST /typed", A, body=b"x")
    assert await left(talk, "/typed") == ["", ""]


async def test_by_default_the_target_is_ended_whatever_is_named(talk: Dialogue) -> None:
    await stored(talk, "/plain")
    talk.answers('201\nCache-Group-Invalidation: "docs-a"\n\n')
    await talk.ask("POST /plain", A, body=b"x")
    assert await left(talk, "/plain") == ["", ""]


async def test_location_and_what_is_named_by_path(talk: Dialogue) -> None:
    await stored(talk, "/one")
    await stored(talk, "/two")
    talk.answers(f"201\nLocation: {talk.at('/one')}\nX-Cache-Invalidate: docs-a {talk.at('/two')}\n\n")
    await talk.ask("POST /docs", A, body=b"x")
    assert await left(talk, "/one") == ["", "b's"]
    talk.answers("503\n\n", "503\n\n")
    assert [(await talk.ask("GET /two", who)).status for who in (A, B)] == [503, 503]
