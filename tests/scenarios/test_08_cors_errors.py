"""The proxy's own answers carry the CORS fields that policy or backend allow, so that pages can read them."""

from __future__ import annotations

import pytest

from checks.conformance.wire import Lines
from tests.scenarios.dialogue import HANG_UP, Dialogue

POLICIES = """\
version: 1
rate_limits:
  few: {rate: 1/1h, key: route}
  none: {rate: 1/1h, key: route}
routes:
  - name: named
    match: {path: "/{room}/named"}
    cors: {origins: ["https://app.example"], credentials: true}
  - name: everybody
    match: {path: "/{room}/everybody"}
    rate_limit: few
    cors: {origins: ["*"], expose: [Retry-After]}
  - name: deaf
    match: {path: "/{room}/deaf"}
    cors: {learn: false}
  - name: learning
    match: {path: "/{room}/learning"}
    rate_limit: none
"""
APP, OTHER = "Origin: https://app.example", "Origin: https://other.example"


def allowed(lines: Lines) -> list[str | None]:
    """Who may read an answer, with credentials or not."""
    return [lines.get("Access-Control-Allow-Origin"), lines.get("Access-Control-Allow-Credentials")]


async def test_the_policy_names_pages(talk: Dialogue) -> None:
    talk.answers(*[HANG_UP] * 3)
    app = await talk.ask("GET /named", APP)
    assert (app.status, allowed(app.lines)) == (502, ["https://app.example", "true"])
    assert app.lines.get("Vary") == "Origin"
    assert "Retry-After" in (app.lines.get("Access-Control-Expose-Headers") or "")
    assert allowed((await talk.ask("GET /named", OTHER)).lines) == [None, None]
    assert allowed((await talk.ask("GET /named")).lines) == [None, None]


async def test_refusals_can_be_read_by_the_page_that_is_refused(talk: Dialogue) -> None:
    talk.answers("200\nCache-Control: max-age=600\n\nx")
    assert allowed((await talk.ask("GET /everybody", APP)).lines) == [None, None]
    for _ in range(4):
        for origin in (APP, OTHER):
            refused = await talk.ask("GET /everybody", origin)
            assert (refused.status, allowed(refused.lines)) == (429, ["*", None])
            assert refused.lines.get("Access-Control-Expose-Headers") == "Retry-After"
        assert allowed((await talk.ask("GET /everybody")).lines) == [None, None]


async def test_the_backend_s_last_word_counts(talk: Dialogue) -> None:
    word = "200\nCache-Control: no-store\nAccess-Control-Allow-Origin: {}\nAccess-Control-Allow-Credentials: true\n\nx"
    talk.answers(word.format("https://app.example"), *[HANG_UP] * 3)
    await talk.ask("GET /any", APP)
    assert allowed((await talk.ask("GET /any", APP)).lines) == ["https://app.example", "true"]
    assert allowed((await talk.ask("GET /any", OTHER)).lines) == [None, None]
    talk.answers("200\nCache-Control: no-store\n\nx", *[HANG_UP] * 2)
    await talk.ask("GET /any", APP)
    assert allowed((await talk.ask("GET /any", APP)).lines) == [None, None]


async def test_what_all_may_read_a_page_may_that_was_never_seen(talk: Dialogue) -> None:
    talk.answers("200\nCache-Control: no-store\nAccess-Control-Allow-Origin: *\n\nx", *[HANG_UP] * 2)
    await talk.ask("GET /any")
    assert allowed((await talk.ask("GET /any", OTHER)).lines) == ["*", None]


async def test_a_refusal_after_the_backend_s_word(talk: Dialogue) -> None:
    talk.answers("200\nCache-Control: no-store\nAccess-Control-Allow-Origin: https://app.example\n\nx")
    await talk.ask("GET /learning", APP)
    for _ in range(4):
        refused = await talk.ask("GET /learning", APP)
        assert (refused.status, allowed(refused.lines)) == (429, ["https://app.example", None])
        other = await talk.ask("GET /learning", OTHER)
        assert (other.status, allowed(other.lines)) == (429, [None, None])


async def test_a_route_may_be_deaf_to_it(talk: Dialogue) -> None:
    talk.answers("200\nCache-Control: no-store\nAccess-Control-Allow-Origin: *\n\nx", *[HANG_UP] * 2)
    await talk.ask("GET /deaf", APP)
    assert allowed((await talk.ask("GET /deaf", APP)).lines) == [None, None]


@pytest.mark.parametrize("status", [404, 416, 503])
async def test_the_backend_s_own_errors_stay_as_they_are(talk: Dialogue, status: int) -> None:
    talk.answers("200\nCache-Control: no-store\nAccess-Control-Allow-Origin: *\n\nx", f"{status}\n\nx")
    await talk.ask("GET /any", APP)
    answer = await talk.ask("GET /any", APP)
    assert (answer.status, allowed(answer.lines)) == (status, [None, None])


async def test_a_range_that_a_stored_response_does_not_have(talk: Dialogue) -> None:
    talk.answers("200\nCache-Control: max-age=600\nAccess-Control-Allow-Origin: *\n\nx")
    await talk.ask("GET /any", APP)
    answer = await talk.ask("GET /any", APP, "Range: bytes=9-")
    assert (answer.status, allowed(answer.lines)) == (416, ["*", None])
