"""What a route says of cookies, and what becomes of sessions where it gives a lifetime and says nothing."""

from __future__ import annotations

import pytest

from tests.scenarios.dialogue import HANG_UP, Dialogue

POLICIES = """\
version: 1
defaults:
  cache: {stale_while_revalidate: 1h, stale_if_error: 1h}
routes:
  - {name: silent, match: {path: "/{room}/silent"}, cache: {ttl: 1h}}
  - name: told
    match: {path: "/{room}/told"}
    cache: {ttl: 1h, cookies: {pass: [sid], key: [lang], ignore: ["_ga*"]}}
"""


async def test_a_lifetime_of_the_route_s_is_for_requests_without_a_session(talk: Dialogue) -> None:
    talk.answers("200\n\nann's", "200\n\nbob's", "200\n\nfor all")
    assert (await talk.ask("GET /silent", "Cookie: sid=ann")).text() == "ann's"
    assert (await talk.ask("GET /silent", "Cookie: sid=bob")).text() == "bob's"
    assert (await talk.ask("GET /silent")).text() == "for all"
    assert (await talk.ask("GET /silent")).text() == "for all"
    talk.answers("200\n\nann's again", "200\n\nhers")
    assert (await talk.ask("GET /silent", "Cookie: sid=ann")).text() == "ann's again"
    assert (await talk.ask("GET /silent", "Authorization: x")).text() == "hers"


async def test_the_origin_s_own_word_holds_for_sessions_too(talk: Dialogue) -> None:
    talk.answers("200\nCache-Control: s-maxage=600\n\nfor all")
    for cookie in ("sid=ann", "sid=bob"):
        assert (await talk.ask("GET /silent", f"Cookie: {cookie}")).text() == "for all"


async def test_cookies_that_mean_nothing_are_ignored(talk: Dialogue) -> None:
    talk.answers("200\n\nfor all")
    for cookie in ("_ga=1", "_ga=2; _gat=3", "_ga_X=4"):
        assert (await talk.ask("GET /told", f"Cookie: {cookie}")).text() == "for all"
    assert (await talk.ask("GET /told")).text() == "for all"


async def test_what_is_ignored_does_not_reach_the_backend(talk: Dialogue) -> None:
    talk.answers(*["200\nCache-Control: no-store\n\nx"] * 8)
    sent = {
        "_ga=1": None,
        "_ga=1; lang=en": "lang=en",
        "lang=en; _ga=1; _gat=2": "lang=en",
        "_ga=1, sid=ann": "_ga=1, sid=ann",  # a comma may be the value's, or separate
        "_ga=1, _gat=2; who=ann": "who=ann",
        "=nameless": None,
        "lang=en;who=ann": "lang=en;who=ann",
    }
    for cookie, told in sent.items():
        await talk.ask("GET /told", f"Cookie: {cookie}")
        assert talk.asked[-1].lines.get("Cookie") == told
    await talk.ask("POST /told", "Cookie: _ga=1; csrf=2", body=b"x")
    assert talk.asked[-1].lines.get("Cookie") == "_ga=1; csrf=2"


async def test_a_nameless_cookie_brings_nothing_to_others(talk: Dialogue) -> None:
    talk.answers("200\n\nfor all")
    for cookie in ("=ann", "=bob"):
        assert (await talk.ask("GET /told", f"Cookie: {cookie}")).text() == "for all"
    assert talk.asked[0].lines.get("Cookie") is None


async def test_cookies_of_the_key_tell_responses_apart(talk: Dialogue) -> None:
    talk.answers("200\n\nhello", "200\n\nbonjour", "200\n\nwhich?")
    for lang, text in (("en", "hello"), ("fr", "bonjour"), ("en", "hello"), ("fr", "bonjour")):
        assert (await talk.ask("GET /told", f"Cookie: _ga=7; lang={lang}")).text() == text
    assert (await talk.ask("GET /told")).text() == "which?"
    assert (await talk.ask("GET /told")).text() == "which?"


async def test_a_comma_before_a_cookie_of_the_key_hides_nothing(talk: Dialogue) -> None:
    talk.answers("200\n\nhello", "200\n\nbonjour", "200\n\nwhich?")
    for lang, text in (("en", "hello"), ("fr", "bonjour"), ("en", "hello")):
        assert (await talk.ask("GET /told", f"Cookie: _ga=7, lang={lang}")).text() == text
    assert (await talk.ask("GET /told", "Cookie: _ga=7")).text() == "which?"


async def test_a_cookie_that_passes_does_so_whatever_the_origin_says(talk: Dialogue) -> None:
    fresh = "200\nCache-Control: s-maxage=600\n\n"
    talk.answers(fresh + "for all", fresh + "ann's", fresh + "bob's", fresh + "unknown")
    assert (await talk.ask("GET /told")).text() == "for all"
    ann = await talk.ask("GET /told", "Cookie: lang=en; sid=ann")
    assert (ann.text(), ann.lines.get("Cache-Status")) == ("ann's", "Veneer; fwd=bypass; detail=cookie")
    assert (await talk.ask("GET /told", "Cookie: lang=en; sid=bob")).text() == "bob's"
    assert (await talk.ask("GET /told", "Cookie: lang=en")).text() == "unknown"


@pytest.mark.parametrize("status", [200, 404])
async def test_windows_of_the_route_s_extend_no_freshness_that_nobody_stated(talk: Dialogue, status: int) -> None:
    talk.answers(f'{status}\nETag: "x"\n\nold', f'{status}\nETag: "y"\n\nnew', "503\n\n", *[HANG_UP] * 2)
    assert (await talk.ask("GET /else")).text() == "old"
    assert (await talk.ask("GET /else")).text() == "new"
    assert (await talk.ask("GET /else")).status == 503
    assert (await talk.ask("GET /else")).status == 502
    talk.forget_answers()
