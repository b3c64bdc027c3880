"""Item 5: CORS preflight kept by policy; and item 6: the key in Cache-Status where the policy shows it."""

from __future__ import annotations

from tests.scenarios.dialogue import Dialogue

POLICIES = """\
version: 1
routes:
  - {name: kept, match: {path: "/{room}/kept"}, cache: {preflight: 10m, key: {show: true, headers: [X-Tenant]}}}
"""

ALLOWED = "204\nAccess-Control-Allow-Methods: PUT\nAccess-Control-Allow-Origin: http://x.example\n\n"
ASKS = ("Origin: http://x.example", "Access-Control-Request-Method: PUT")


async def test_the_answer_is_kept_by_what_it_depends_on(talk: Dialogue) -> None:
    talk.answers(ALLOWED, ALLOWED, ALLOWED, ALLOWED)
    for _ in range(2):
        answer = await talk.ask("OPTIONS /kept", *ASKS)
        assert (answer.status, answer.lines.get("Access-Control-Allow-Methods")) == (204, "PUT")
    assert talk.paths() == ["OPTIONS /kept"]
    await talk.ask("OPTIONS /kept", "Origin: http://y.example", ASKS[1])
    await talk.ask("OPTIONS /kept", ASKS[0], "Access-Control-Request-Method: DELETE")
    await talk.ask("OPTIONS /kept", *ASKS, "Access-Control-Request-Headers: x-a")
    assert len(talk.asked) == 4


async def test_other_options_and_refusals_are_not_kept(talk: Dialogue) -> None:
    talk.answers("204\nAllow: GET\n\n", "204\nAllow: GET\n\n", "403\n\nno", ALLOWED)
    await talk.ask("OPTIONS /kept")
    await talk.ask("OPTIONS /kept")
    assert (await talk.ask("OPTIONS /kept", *ASKS)).status == 403
    assert (await talk.ask("OPTIONS /kept", *ASKS)).status == 204


async def test_a_preflight_and_a_get_are_strangers(talk: Dialogue) -> None:
    talk.answers(ALLOWED, "200\nCache-Control: max-age=60\n\ngot")
    await talk.ask("OPTIONS /kept", *ASKS)
    assert (await talk.ask("GET /kept", *ASKS)).text() == "got"


async def test_the_key_is_shown_on_misses_and_hits(talk: Dialogue) -> None:
    talk.answers("200\nCache-Control: max-age=60\n\ngot")
    shown = [(await talk.ask("GET /kept", "X-Tenant: a")).lines.get("Cache-Status") or "" for _ in range(4)]
    keys = {text.partition("; key=")[2] for text in shown}
    assert len(keys) == 1
    assert "x-tenant=a" in keys.pop()
    assert [("hit" in text) for text in shown] == [False, True, True, True]
