"""Item 3: what a HEAD, a 304 and a failure say of stored responses, and of which (RFC 9111 sections 4.3.3 to 4.3.5)."""

from __future__ import annotations

import pytest

from tests.scenarios.dialogue import HANG_UP, Dialogue, ago

FRESH = "Cache-Control: max-age=600"
STALE = "Age: 5\nCache-Control: max-age=1"
BY_LANGUAGE = "Vary: Accept-Language"
BY_COOKIE = "Vary: Cookie"


@pytest.mark.parametrize("told", ["", "Content-Length: 5\n", 'ETag: "other"\nContent-Length: 5\n'])
async def test_a_head_for_another_variant_says_nothing_of_those_stored(talk: Dialogue, told: str) -> None:
    talk.answers(
        f"200\n{FRESH}\n{BY_LANGUAGE}\n\nHello",
        f"200\n{FRESH}\n{BY_LANGUAGE}\n{told}\n",
        f"200\n{FRESH}\n{BY_LANGUAGE}\n\nSalut",
    )
    await talk.ask("GET /a", "Accept-Language: en")
    assert (await talk.ask("HEAD /a", "Accept-Language: fr")).status == 200
    assert (await talk.ask("GET /a", "Accept-Language: fr")).text() == "Salut"
    assert (await talk.ask("GET /a", "Accept-Language: en")).text() == "Hello"


async def test_a_head_gives_nobody_the_page_of_another_cookie(talk: Dialogue) -> None:
    page = f"{FRESH}\n{BY_COOKIE}\nLast-Modified: {ago(9000)}"
    talk.answers(f"200\n{page}\n\nann's", f"200\n{page}\nContent-Length: 5\n\n", f"200\n{page}\n\nbob's")
    await talk.ask("GET /a", "Cookie: id=ann")
    await talk.ask("HEAD /a", "Cookie: id=bob")
    assert (await talk.ask("GET /a", "Cookie: id=bob")).text() == "bob's"


async def test_a_head_that_tells_of_a_change_ends_only_what_was_selected(talk: Dialogue) -> None:
    for language in ("en", "fr"):
        talk.answers(f'200\nETag: "{language}1"\n{STALE}\n{BY_LANGUAGE}\n\n{language}')
        await talk.ask("GET /a", f"Accept-Language: {language}")
    talk.answers(
        f'200\nETag: "en2"\n{FRESH}\n{BY_LANGUAGE}\nContent-Length: 2\n\n',
        f'304\nETag: "fr1"\n{FRESH}\n{BY_LANGUAGE}\n\n',
        f'200\nETag: "en2"\n{FRESH}\n{BY_LANGUAGE}\n\nEN',
    )
    await talk.ask("HEAD /a", "Accept-Language: en")
    assert (await talk.ask("GET /a", "Accept-Language: fr")).text() == "fr"
    assert (await talk.ask("GET /a", "Accept-Language: en")).text() == "EN"
    assert talk.asked[-1].lines.get("If-None-Match") == '"fr1"'


async def test_a_head_that_proves_nothing_renews_nothing(talk: Dialogue) -> None:
    talk.answers(f"200\n{STALE}\n\nversion 1", f"200\n{FRESH}\nContent-Length: 9\n\n", f"200\n{FRESH}\n\nversion 2")
    await talk.ask("GET /a")
    await talk.ask("HEAD /a")
    assert (await talk.ask("GET /a")).text() == "version 2"


@pytest.mark.parametrize("validator", ['ETag: "a"', 'ETag: W/"a"', "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT"])
async def test_a_head_with_the_stored_validator_renews(talk: Dialogue, validator: str) -> None:
    talk.answers(f"200\n{validator}\n{STALE}\n\none", f"200\n{validator}\n{FRESH}\nContent-Length: 3\nX-New: yes\n\n")
    await talk.ask("GET /a")
    await talk.ask("HEAD /a")
    again = await talk.ask("GET /a")
    assert (again.text(), again.lines.get("X-New")) == ("one", "yes")


@pytest.mark.parametrize("condition", ["If-Modified-Since: ", "If-None-Match: *"])
async def test_a_304_to_the_client_s_own_condition_confirms_nothing_stored(talk: Dialogue, condition: str) -> None:
    modified = ago(9000)
    page = f"{FRESH}\n{BY_COOKIE}\nLast-Modified: {modified}"
    talk.answers(f"200\n{page}\n\nann's", f"304\n{page}\n\n", f"200\n{page}\n\nbob's")
    await talk.ask("GET /a", "Cookie: id=ann")
    own = condition + (modified if condition.endswith(": ") else "")
    assert (await talk.ask("GET /a", "Cookie: id=bob", own)).status == 304
    assert own in "\n".join(f"{name}: {value}" for name, value in talk.asked[1].lines)
    assert (await talk.ask("GET /a", "Cookie: id=bob")).text() == "bob's"


async def test_the_client_s_conditions_are_not_mixed_with_those_about_variants(talk: Dialogue) -> None:
    talk.answers(
        f'200\nETag: "x"\n{FRESH}\n{BY_LANGUAGE}\n\none',
        f'200\nETag: "y"\n{FRESH}\n{BY_LANGUAGE}\n\ntwo',
    )
    await talk.ask("GET /a", "Accept-Language: en")
    answer = await talk.ask("GET /a", "Accept-Language: fr", 'If-None-Match: "y"', f"If-Modified-Since: {ago(0)}")
    assert talk.asked[1].lines.get("If-None-Match") == '"x"'
    assert "If-Modified-Since" not in talk.asked[1].lines
    assert answer.status == 304


@pytest.mark.parametrize("tag", ["", 'ETag: W/"A"\n'])
async def test_a_strong_tag_confirms_only_what_has_it(talk: Dialogue, tag: str) -> None:
    page = f"{BY_LANGUAGE}\nLast-Modified: {ago(9000)}"
    talk.answers(
        f"200\n{tag}{STALE}\n{page}\n\ntwo",
        f'304\nETag: "A"\n{FRESH}\n{page}\n\n',
        f'200\nETag: "A"\n{FRESH}\n{page}\n\none',
    )
    await talk.ask("GET /a", "Accept-Language: en")
    answer = await talk.ask("GET /a", "Accept-Language: en")
    assert (answer.text(), answer.lines.get("ETag")) == ("one", '"A"')


async def test_a_part_is_no_variant_of_the_whole(talk: Dialogue) -> None:
    talk.answers(
        f'206\nETag: "a"\n{FRESH}\nVary: X-V\nContent-Range: bytes 0-2/10\n\n012',
        f'200\nETag: "a"\n{FRESH}\nVary: X-V\n\n0123456789',
    )
    assert (await talk.ask("GET /a", "X-V: 1", "Range: bytes=0-2")).status == 206
    answer = await talk.ask("GET /a", "X-V: 2")
    assert (answer.status, answer.text()) == (200, "0123456789")
    assert "If-None-Match" not in talk.asked[1].lines


async def test_a_weak_tag_is_not_offered_for_another_variant(talk: Dialogue) -> None:
    by_type = 'ETag: W/"1"\nVary: Accept'
    talk.answers(
        f"200\n{by_type}\n{FRESH}\nContent-Type: text/html\n\n<p>",
        f"200\n{by_type}\n{STALE}\nContent-Type: application/json\n\n{{}}",
        f"304\n{by_type}\n{FRESH}\n\n",
    )
    await talk.ask("GET /a", "Accept: text/html")
    assert (await talk.ask("GET /a", "Accept: application/json")).text() == "{}"
    assert "If-None-Match" not in talk.asked[1].lines
    assert (await talk.ask("GET /a", "Accept: application/json")).text() == "{}"
    assert talk.asked[2].lines.get("If-None-Match") == 'W/"1"'


@pytest.mark.parametrize(
    "told", ["Content-Type: text/html", "Content-Encoding: gzip", "Content-Type: text/plain;charset=a"]
)
async def test_a_304_about_other_content_is_not_used(talk: Dialogue, told: str) -> None:
    talk.answers(
        f'200\nETag: "x"\n{STALE}\nContent-Type: text/plain; charset=UTF-8\n\nold',
        f'304\nETag: "x"\n{FRESH}\n{told}\n\n',
        f'200\nETag: "x"\n{FRESH}\n\nnew',
    )
    await talk.ask("GET /a")
    assert (await talk.ask("GET /a")).text() == "new"
    assert "If-None-Match" not in talk.asked[2].lines


@pytest.mark.parametrize(
    "status", ["404", "410", "401", "403", "301\nLocation: /elsewhere", "200\nCache-Control: no-store"]
)
async def test_what_was_withdrawn_does_not_come_back(talk: Dialogue, status: str) -> None:
    talk.answers(
        f'200\nETag: "a"\n{STALE}, stale-if-error=600\n\nold', f"{status}\n\nnews", "503\n\nno", HANG_UP, HANG_UP
    )
    await talk.ask("GET /a")
    assert (await talk.ask("GET /a")).text() == "news"
    assert (await talk.ask("GET /a")).status == 503
    assert (await talk.ask("GET /a")).status == 502
    talk.forget_answers()  # one retry is allowed where the connection had been used before


async def test_a_refresh_behind_an_answer_that_finds_it_gone_ends_it(talk: Dialogue) -> None:
    talk.answers(f"200\n{STALE}, stale-while-revalidate=600\n\nold", "404\n\ngone", "404\n\ngone")
    await talk.ask("GET /a")
    assert (await talk.ask("GET /a")).text() == "old"
    await talk.reached(2)
    found = {(await talk.ask("GET /a", client=talk.client())).status for _ in range(1)}
    while 200 in found:  # until the answer to the refresh has been seen
        found = {(await talk.ask("GET /a", client=talk.client())).status}
    assert found == {404}


async def test_a_reload_that_finds_it_gone_ends_it_for_everybody(talk: Dialogue) -> None:
    talk.answers(f"200\n{FRESH}\n\nold", "404\n\ngone", "404\n\ngone")
    await talk.ask("GET /a")
    assert (await talk.ask("GET /a", "Cache-Control: no-cache")).status == 404
    assert (await talk.ask("GET /a")).status == 404


async def test_a_404_that_varies_otherwise_ends_every_response_it_stands_for(talk: Dialogue) -> None:
    talk.answers(
        f"200\n{FRESH}\n{BY_LANGUAGE}\n\nold",
        f"404\n{FRESH}\nVary: X-Other\n\ngone",
        "404\n\ngone",
    )
    await talk.ask("GET /a", "Accept-Language: en")
    await talk.ask("GET /a", "Accept-Language: en", "Cache-Control: no-cache")
    assert (await talk.ask("GET /a", "Accept-Language: en")).status == 404
    assert (await talk.ask("GET /a", "Accept-Language: en", "X-Other: 1")).status == 404


@pytest.mark.parametrize("status", ["429", "416", "500", "408"])
async def test_what_is_about_one_request_ends_nothing(talk: Dialogue, status: str) -> None:
    talk.answers(f"200\n{FRESH}\n\nold", f"{status}\n\nno")
    await talk.ask("GET /a")
    await talk.ask("GET /a", "Cache-Control: no-cache")
    assert (await talk.ask("GET /a")).text() == "old"


@pytest.mark.parametrize(("status", "ends"), [("404", True), ("405", False), ("503", False)])
async def test_a_head_that_finds_it_gone_ends_it(talk: Dialogue, status: str, *, ends: bool) -> None:
    talk.answers(f"200\n{FRESH}\n\nold", f"{status}\n\n", "404\n\ngone")
    await talk.ask("GET /a")
    await talk.ask("HEAD /a", "Cache-Control: no-cache")
    assert (await talk.ask("GET /a")).status == (404 if ends else 200)
    talk.forget_answers()


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_who_set_no_condition_never_gets_304(talk: Dialogue, method: str) -> None:
    talk.answers('304\nETag: "a"\n\n')
    assert (await talk.ask(f"{method} /a")).status == 502
