"""What a policy file says of its routes, seen from outside."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from tests.scenarios.dialogue import Dialogue

POLICIES = """\
version: 1
rate_limits:
  two: {rate: 2/1h, key: "header:X-Client"}
routes:
  - {name: limited, match: {path: "/{room}/limited"}, rate_limit: two, cache: {enabled: false}}
  - {name: user, match: {path: "/{room}/users/{id}", methods: [GET]}, cache: {ttl: 1h, tags: ["{room}:user:{id}"]}}
  - {name: users, match: {path: "/{room}/users", methods: [GET]}, cache: {ttl: 1h, tags: ["{room}:users"]}}
  - name: write
    match: {path: "/{room}/users/{id}", methods: [PUT]}
    invalidates: ["{room}:user:{id}", "{room}:users"]
    invalidates_when: silent
  - name: touch
    match: {path: "/{room}/touch/{id}", methods: [POST]}
    invalidates: ["{room}:user:{id}"]
    invalidates_on: [404]
  - {name: search, match: {path: "/{room}/search", methods: [POST]}, cache: {ttl: 1h, compat: {post_as_query: true}}}
  - {name: small, match: {path: "/{room}/small"}, max_body: 4B}
  - {name: nothing, match: {path: "/{room}/nothing"}, max_body: 0}
  - {name: audited, match: {path: "/{room}/audited"}, audit_share: 1, cache: {ttl: 1h}}
  - {name: hasty, match: {path: "/{room}/hasty"}, read_timeout: 300ms}
  - {name: large, match: {path: "/{room}/large"}, cache: {ttl: 1h}, compress: {stream_over: 100KB, level: 3}}
  - name: typed
    match: {path: "/{room}/typed", query: {type: user}}
    cache: {ttl: 1h, key: {query: {only: [type, q]}}}
"""

JSON = "Content-Type: application/json"


async def test_a_ttl_fills_in_where_the_origin_is_silent(talk: Dialogue) -> None:
    talk.answers("200\n\none")
    assert (await talk.ask("GET /users/1")).text() == "one"
    assert (await talk.ask("GET /users/1")).text() == "one"


async def test_a_write_invalidates_by_template_for_a_backend_that_names_nothing(talk: Dialogue) -> None:
    talk.answers("200\n\nlist", "200\n\nother", "204\n", "200\n\nnew")
    await talk.ask("GET /users")
    await talk.ask("GET /users/2")
    await talk.ask("PUT /users/1", body=b"x")
    assert (await talk.ask("GET /users")).text() == "new"
    assert (await talk.ask("GET /users/2")).text() == "other"


async def test_a_backend_that_names_something_is_taken_at_its_word(talk: Dialogue) -> None:
    talk.answers("200\n\nlist", '204\nCache-Group-Invalidation: "else"')
    await talk.ask("GET /users")
    await talk.ask("PUT /users/1", body=b"x")
    assert (await talk.ask("GET /users")).text() == "list"


async def test_only_the_listed_statuses_count_as_done(talk: Dialogue) -> None:
    talk.answers("200\n\none", "200\n\n", "404\n\n", "200\n\ntwo")
    await talk.ask("GET /users/1")
    await talk.ask("POST /touch/1", body=b"")
    assert (await talk.ask("GET /users/1")).text() == "one"
    await talk.ask("POST /touch/1", body=b"")
    assert (await talk.ask("GET /users/1")).text() == "two"


async def test_an_encoded_name_has_the_same_tag(talk: Dialogue) -> None:
    talk.answers("200\n\none", "204\n", "200\n\ntwo")
    await talk.ask("GET /users/a:b")
    await talk.ask("PUT /users/a%3Ab", body=b"x")
    assert (await talk.ask("GET /users/a:b")).text() == "two"


async def test_a_star_in_a_path_invalidates_no_more_than_itself(talk: Dialogue) -> None:
    talk.answers("200\n\none", "204\n")
    await talk.ask("GET /users/1")
    await talk.ask("PUT /users/*", body=b"x")
    assert (await talk.ask("GET /users/1")).text() == "one"


async def test_a_post_declared_to_be_a_query_is_answered_by_its_content(talk: Dialogue) -> None:
    talk.answers("200\n\none", "200\n\ntwo")
    assert (await talk.ask("POST /search", JSON, body=b'{"q": 1}')).text() == "one"
    assert (await talk.ask("POST /search", JSON, body=b'{"q":1}')).text() == "one"
    assert (await talk.ask("POST /search", JSON, body=b'{"q":2}')).text() == "two"
    assert (await talk.ask("POST /search", JSON, body=b'{"q":1}')).text() == "one"
    assert talk.paths() == ["POST /search", "POST /search"]


async def test_a_stale_answer_to_such_a_post_is_asked_for_without_conditions(talk: Dialogue) -> None:
    talk.answers('200\nETag: "a"\nCache-Control: no-cache\n\none', "200\n\ntwo")
    await talk.ask("POST /search", JSON, body=b"{}")
    assert (await talk.ask("POST /search", JSON, body=b"{}")).text() == "two"
    assert talk.asked[1].method == "POST"
    assert talk.asked[1].lines.get("If-None-Match") is None
    assert talk.asked[1].body == b"{}"


async def test_content_too_long_to_be_a_key_passes_through_whole(talk: Dialogue) -> None:
    body = bytes(range(256)) * 400
    talk.answers("200\n\none", "200\n\ntwo", "200\n\nthree")
    for method, expected in (("POST", "one"), ("POST", "two"), ("QUERY", "three")):
        assert (await talk.ask(f"{method} /search", JSON, body=body)).text() == expected
    assert [asked.body for asked in talk.asked] == [body] * 3


async def test_a_named_limit_counts_the_clients_that_its_key_names(talk: Dialogue) -> None:
    talk.answers("200\n\na", "200\n\na", "200\n\nb")
    one, other = f"X-Client: {talk.at('one')}", f"X-Client: {talk.at('other')}"
    statuses = [(await talk.ask("GET /limited", field)).status for field in (one, one, one, other)]
    assert statuses == [200, 200, 429, 200]


async def test_a_route_bounds_its_own_bodies(talk: Dialogue) -> None:
    talk.answers("200\n\nfine")
    assert (await talk.ask("POST /small", body=b"1234")).status == 200
    assert (await talk.ask("POST /small", body=b"12345", client=talk.client())).status == 413
    assert (await talk.ask("POST /nothing", body=b"1", client=talk.client())).status == 413


async def test_a_query_condition_selects_the_route_and_its_key(talk: Dialogue) -> None:
    talk.answers("200\n\nuser", "200\n\nother", "200\n\nother")
    for target, expected in (("user&q=1&x=1", "user"), ("user&x=2&q=1", "user"), ("task", "other"), ("task", "other")):
        assert (await talk.ask(f"GET /typed?type={target}")).text() == expected


async def test_a_hit_is_audited_behind_its_client(talk: Dialogue) -> None:
    talk.answers("200\n\none", "200\n\ntwo")
    for _ in range(2):
        assert (await talk.ask("GET /audited")).text() == "one"
    await talk.reached(2)
    assert talk.asked[1].lines.get("If-None-Match") is None


async def test_a_route_may_wait_less_for_its_backend(talk: Dialogue) -> None:
    done = asyncio.Event()
    talk.answers("200\n\nfine", [done], [done])
    try:
        assert (await talk.ask("GET /users/1")).text() == "fine"
        for method in ("GET", "PUT"):
            async with asyncio.timeout(25):  # less than what the upstream itself would be waited for
                assert (await talk.ask(f"{method} /hasty", "Content-Length: 0")).status == 504
    finally:
        done.set()


@pytest.mark.parametrize("lines", [1_000, 20_000])
async def test_a_large_body_is_coded_as_it_leaves_and_a_small_one_whole(talk: Dialogue, lines: int) -> None:
    text = "".join(f"line {number}\n" for number in range(lines))
    talk.answers(f"200\nContent-Type: text/plain\n\n{text}")
    for method in ("GET", "GET", "HEAD", "GET"):
        response = await talk.ask(f"{method} /large", "Accept-Encoding: gzip")
        assert response.lines.get("Content-Encoding") == "gzip"
        if method == "GET":
            assert (response.lines.get("Content-Length") is None) is (len(text) > 100 * 1024)
            assert gzip.decompress(response.body).decode() == text
    assert (await talk.ask("GET /large")).text() == text
    assert len(talk.asked) == 1
