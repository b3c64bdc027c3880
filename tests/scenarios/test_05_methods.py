"""Item 5: methods."""

from __future__ import annotations

import pytest

from tests.scenarios.dialogue import Dialogue

FRESH = "Cache-Control: max-age=600"


async def test_head_is_served_from_a_stored_get(talk: Dialogue) -> None:
    talk.answers(f"200\n{FRESH}\nX-Own: yes\n\nhello")
    await talk.ask("GET /a")
    response = await talk.ask("HEAD /a", "Connection: close")
    assert (response.status, response.body) == (200, b"")
    assert (response.lines.get("Content-Length"), response.lines.get("X-Own")) == ("5", "yes")
    assert talk.paths() == ["GET /a"]


async def test_head_is_not_stored_for_get(talk: Dialogue) -> None:
    talk.answers(f"200\n{FRESH}\nContent-Length: 5\n\n", f"200\n{FRESH}\n\nhello")
    await talk.ask("HEAD /a", "Connection: close")
    assert (await talk.ask("GET /a")).text() == "hello"
    assert talk.paths() == ["HEAD /a", "GET /a"]


JSON = "Content-Type: application/json"


async def test_query_is_cached_by_its_content(talk: Dialogue) -> None:
    talk.answers(f"200\n{FRESH}\n\none", f"200\n{FRESH}\n\ntwo")
    assert (await talk.ask("QUERY /a", JSON, body=b'{"q": 1}')).text() == "one"
    assert (await talk.ask("QUERY /a", JSON, body=b'{"q":1}')).text() == "one"
    assert (await talk.ask("QUERY /a", JSON, body=b'{"q":2}')).text() == "two"
    assert [asked.body for asked in talk.asked] == [b'{"q": 1}', b'{"q":2}']


async def test_query_and_get_are_strangers_and_query_invalidates_nothing(talk: Dialogue) -> None:
    talk.answers(f"200\n{FRESH}\n\nget", f"200\n{FRESH}\n\nquery")
    await talk.ask("GET /a")
    assert (await talk.ask("QUERY /a", JSON, body=b"{}")).text() == "query"
    assert (await talk.ask("GET /a")).text() == "get"


async def test_a_post_that_says_where_its_answer_lives_answers_get(talk: Dialogue) -> None:
    talk.answers(f"200\n{FRESH}\nContent-Location: {talk.at('/a')}\n\nposted")
    await talk.ask("POST /a", body=b"x")
    assert (await talk.ask("GET /a")).text() == "posted"
    assert talk.paths() == ["POST /a"]


@pytest.mark.parametrize("fields", ["Content-Location: /elsewhere", "X-None: 1"])
async def test_any_other_post_answers_nothing_but_itself(talk: Dialogue, fields: str) -> None:
    talk.answers(f"200\n{FRESH}\n{fields}\n\nposted", f"200\n{FRESH}\n\ngot")
    await talk.ask("POST /a", body=b"x")
    assert (await talk.ask("GET /a")).text() == "got"


async def test_a_post_is_never_answered_from_the_cache(talk: Dialogue) -> None:
    talk.answers(f"200\n{FRESH}\nContent-Location: {talk.at('/a')}\n\none", "200\n\ntwo")
    await talk.ask("POST /a", body=b"x")
    assert (await talk.ask("POST /a", body=b"x")).text() == "two"


async def test_options_and_preflight_are_passed(talk: Dialogue) -> None:
    talk.answers("204\nAccess-Control-Allow-Methods: GET, PUT\n\n")
    response = await talk.ask("OPTIONS /a", "Origin: http://x.example", "Access-Control-Request-Method: PUT")
    assert (response.status, response.lines.get("Access-Control-Allow-Methods")) == (204, "GET, PUT")
    assert talk.asked[0].lines.get("Origin") == "http://x.example"


async def test_an_unknown_method_is_forwarded_with_its_body(talk: Dialogue) -> None:
    talk.answers("200\n\ndone")
    assert (await talk.ask("FROBNICATE /a", body=b"abc")).text() == "done"
    assert (talk.asked[0].method, talk.asked[0].body) == ("FROBNICATE", b"abc")
