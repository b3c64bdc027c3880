"""Item 3: a route says what becomes of responses that set cookies."""

from __future__ import annotations

import pytest

from tests.scenarios.dialogue import Dialogue, ago

POLICIES = """\
version: 1
routes:
  - {name: refuse, match: {path: "/{room}/refuse"}, cache: {set_cookie: refuse}}
  - {name: strip, match: {path: "/{room}/strip"}, cache: {set_cookie: strip}}
  - {name: store, match: {path: "/{room}/store"}, cache: {set_cookie: store, ttl: 1h}}
  - {name: explicit, match: {path: "/{room}/explicit"}, cache: {ttl: 1h}}
"""

EXPLICIT = "200\nCache-Control: max-age=600\nSet-Cookie: id=1\n\none"


async def test_refused_the_response_is_not_stored(talk: Dialogue) -> None:
    talk.answers(EXPLICIT, "200\n\ntwo")
    assert (await talk.ask("GET /refuse")).lines.get("Set-Cookie") == "id=1"
    assert (await talk.ask("GET /refuse")).text() == "two"


async def test_stripped_the_cookie_reaches_its_client_and_nobody_else(talk: Dialogue) -> None:
    talk.answers(EXPLICIT)
    assert (await talk.ask("GET /strip")).lines.get("Set-Cookie") == "id=1"
    second = await talk.ask("GET /strip")
    assert (second.text(), second.lines.get("Set-Cookie")) == ("one", None)


async def test_stored_the_cookie_is_replayed_even_for_a_lifetime_of_the_route_s(talk: Dialogue) -> None:
    talk.answers("200\nSet-Cookie: id=1\n\none")
    await talk.ask("GET /store")
    assert (await talk.ask("GET /store")).lines.get("Set-Cookie") == "id=1"


@pytest.mark.parametrize("fields", ["X-None: 1", f"Last-Modified: {ago(1_000_000)}"], ids=["bare", "with-a-date"])
async def test_by_default_a_lifetime_of_the_route_s_does_not_share_a_cookie(talk: Dialogue, fields: str) -> None:
    talk.answers(f"200\n{fields}\nSet-Cookie: id=1\n\none", f"200\n{fields}\nSet-Cookie: id=2\n\ntwo")
    assert (await talk.ask("GET /explicit")).text() == "one"
    assert (await talk.ask("GET /explicit")).lines.get("Set-Cookie") == "id=2"
