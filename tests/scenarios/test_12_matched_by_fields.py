"""Routes chosen by host, header and cookie: what they store is never mixed up, and a write reaches all of it."""

from __future__ import annotations

import pytest

from tests.scenarios.dialogue import Dialogue

POLICIES = """\
version: 1
rate_limits:
  none: {rate: 1/1h, key: route}
routes:
  - name: beta
    match: {path: "/{room}/a", headers: {X-Beta: "1"}}
    cache: {ttl: 1h, key: {query: {only: [page]}}}
  - name: member
    match: {path: "/{room}/a", cookies: {plan: "*"}}
    cache: {ttl: 1h, cookies: {key: [plan], ignore: ["*"]}}
  - name: hosted
    match: {path: "/{room}/a", host: shop.example}
    cache: {ttl: 2h}
  - name: usual
    match: {path: "/{room}/a"}
    cache: {ttl: 1h}
  - name: refused
    match: {path: "/{room}/limited", headers: {X-Bot: "*"}}
    rate_limit: none
  - name: blob
    match: {path: "/{room}/{repository:path}/blobs/{digest}"}
    cache: {ttl: 1h, tags: ["repository:{repository}", "blob:{digest}"]}
"""
BETA, MEMBER = "X-Beta: 1", "Cookie: plan=gold; other=1"


async def test_one_path_has_a_place_for_each_route(talk: Dialogue) -> None:
    talk.answers("200\n\nusual", "200\n\nbeta", "200\n\nmember")
    for _ in range(5):
        assert (await talk.ask("GET /a")).text() == "usual"
        assert (await talk.ask("GET /a", BETA)).text() == "beta"
        assert (await talk.ask("GET /a", MEMBER)).text() == "member"
    assert [asked.lines.get("Cookie") for asked in talk.asked] == [None, None, "plan=gold"]


async def test_a_host_chooses(talk: Dialogue) -> None:
    talk.answers("200\n\nshop")
    raw = f"GET {talk.at('/a')} HTTP/1.1\r\nHost: SHOP.example\r\nConnection: close\r\n\r\n".encode("latin-1")
    answers = [await talk.send_raw(raw) for _ in range(2)]
    assert b"ttl=71" in answers[1]


@pytest.mark.parametrize("write", ["POST /a?page=1&x=1", "POST /a"])
async def test_a_write_reaches_what_every_route_has_stored(talk: Dialogue, write: str) -> None:
    talk.answers("200\n\nold", "200\n\nold beta", "204\n\n", "200\n\nnew", "200\n\nnew beta")
    target = write.removeprefix("POST ")
    for text in ("old", "new"):
        for _ in range(3):
            assert (await talk.ask(f"GET {target}")).text() == text
            assert (await talk.ask(f"GET {target}", BETA)).text() == f"{text} beta"
        if text == "old":
            assert (await talk.ask(write, body=b"x")).status == 204


async def test_a_limit_is_that_of_the_route_taken(talk: Dialogue) -> None:
    talk.answers(*["200\nCache-Control: max-age=60\n\nx"] * 2)
    for number in range(4):
        refused = await talk.ask("GET /limited", "X-Bot: yes")
        assert refused.status == (200 if number == 0 else 429)
        assert (await talk.ask("GET /limited")).status == 200


async def test_a_rest_may_stand_within_a_path(talk: Dialogue) -> None:
    talk.answers("200\n\nold", "204\nX-Cache-Invalidate: repository:library/nginx\n\n", "200\n\nnew")
    for _ in range(3):
        assert (await talk.ask("GET /library/nginx/blobs/1")).text() == "old"
    await talk.ask("POST /other", body=b"")
    assert (await talk.ask("GET /library/nginx/blobs/1")).text() == "new"
