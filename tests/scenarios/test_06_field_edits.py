"""Fields that a route sets, adds and removes, in requests and responses, whichever way an answer is made."""

from __future__ import annotations

import pytest

from checks.conformance.wire import Lines
from tests.scenarios.dialogue import HANG_UP, Dialogue

POLICIES = """\
version: 1
rate_limits:
  few: {rate: 1/1h, key: route}
routes:
  - name: edited
    match: {path: "/{room}/edited"}
    cache: {ttl: 1h, stale_if_error: 1h}
    response:
      set: {X-Frame-Options: DENY, Server: veneer, X-Correlation-Id: fixed}
      add: {Link: "</style.css>; rel=preload"}
      remove: [X-Powered-By]
      security: true
  - name: restricting
    match: {path: "/{room}/restricting"}
    response: {set: {Cache-Control: "private, no-cache"}}
  - name: tagged
    match: {path: "/{room}/tagged"}
    response: {keep_tags: true}
  - name: limited
    match: {path: "/{room}/limited"}
    rate_limit: few
    response: {set: {X-Team: shop}}
  - name: stripped
    match: {path: "/{room}/stripped"}
    cache: {ttl: 1h}
    request:
      set: {X-Stage: live, X-Csrf-Token: "7"}
      add: {X-Extra: more}
      remove: [Cookie, Authorization, Accept-Language]
  - name: added
    match: {path: "/{room}/added"}
    request: {add: {X-Csrf-Token: "7"}}
    response: {add: {X-Correlation-Id: "9"}}
"""
BACKEND = "Server: x\nX-Powered-By: php\nX-Correlation-Id: {}\nX-Frame-Options: ALLOW\nReferrer-Policy: no-referrer"
LINK = "</style.css>; rel=preload"


def dressed(lines: Lines) -> list[str | None]:
    """What the route "edited" has to do with an answer."""
    names = "Server", "X-Powered-By", "X-Frame-Options", "Referrer-Policy", "X-Content-Type-Options", "Link"
    return [lines.get(name) for name in (*names, "X-Correlation-Id")]


EDITED = ["veneer", None, "DENY", "no-referrer", "nosniff", LINK, "fixed"]
OWN = ["veneer", None, "DENY", "strict-origin-when-cross-origin", "nosniff", LINK, "fixed"]


async def test_a_stored_response_is_edited_whenever_it_answers(talk: Dialogue) -> None:
    talk.answers(f'200\n{BACKEND.format(1)}\nETag: "e"\nContent-Type: text/plain\n\n{"body" * 1000}')
    for _ in range(5):
        assert dressed((await talk.ask("GET /edited")).lines) == EDITED
    asks = ('If-None-Match: "e"', 304), ("Range: bytes=0-3", 206), ("Range: bytes=9999-", 416)
    for field, status in asks:
        answer = await talk.ask("GET /edited", field)
        assert answer.status == status
        assert answer.lines.get("Server") == "veneer"
        assert answer.lines.get("X-Frame-Options") == "DENY"
    for _ in range(5):
        coded = await talk.ask("GET /edited", "Accept-Encoding: gzip")
        assert coded.lines.get("Content-Encoding") == "gzip"
        assert dressed(coded.lines) == EDITED
    assert dressed((await talk.ask("HEAD /edited")).lines) == EDITED


async def test_misses_are_edited_each_and_keep_nothing_of_one_another(talk: Dialogue) -> None:
    for number in range(6):
        talk.answers(f"200\nCache-Control: no-store\n{BACKEND.format('fixed' if number < 3 else number)}\n\nx")
        assert dressed((await talk.ask("GET /edited")).lines) == EDITED
    for number in range(6):
        talk.answers(f"200\n{BACKEND.format(number)}\n\nx")
        assert dressed((await talk.ask("POST /edited", body=b"x")).lines) == EDITED


async def test_the_proxy_s_own_answers_are_edited(talk: Dialogue) -> None:
    talk.answers(HANG_UP)
    answer = await talk.ask("GET /edited")
    assert answer.status == 502
    assert dressed(answer.lines) == OWN


async def test_clients_may_be_told_to_keep_less(talk: Dialogue) -> None:
    talk.answers("200\nCache-Control: max-age=600\n\nx")
    for _ in range(5):
        assert (await talk.ask("GET /restricting")).lines.get("Cache-Control") == "private, no-cache"


TAGS = 'Cache-Groups: "g"\nCache-Tag: a\nSurrogate-Key: b'


@pytest.mark.parametrize(("path", "told"), [("/any", False), ("/tagged", True)])
async def test_tags_are_read_and_taken_out(talk: Dialogue, path: str, told: bool) -> None:
    talk.answers(f"200\nCache-Control: max-age=600\n{TAGS}\n\nx")
    for _ in range(5):
        lines = (await talk.ask(f"GET {path}")).lines
        assert [lines.get(name) for name in ("Cache-Groups", "Cache-Tag", "Surrogate-Key")] == (
            ['"g"', "a", "b"] if told else [None] * 3
        )
    talk.answers('204\nCache-Group-Invalidation: "g"\n\n', f"200\nCache-Control: max-age=600\n{TAGS}\n\nnew")
    done = await talk.ask("POST /other", body=b"")
    assert done.lines.get("Cache-Group-Invalidation") is None
    assert (await talk.ask(f"GET {path}")).text() == "new"


async def test_refusals_are_edited_also_when_they_are_repeated(talk: Dialogue) -> None:
    talk.answers("200\nCache-Control: no-store\n\nx")
    assert (await talk.ask("GET /limited")).lines.get("X-Team") == "shop"
    for _ in range(5):
        refused = await talk.ask("GET /limited")
        assert (refused.status, refused.lines.get("X-Team")) == (429, "shop")


async def test_what_is_removed_reaches_nobody_and_tells_nobody_apart(talk: Dialogue) -> None:
    talk.answers("200\n\nfor all")
    for user in ("ann", "bob", "ann", "bob", "cid"):
        fields = f"Cookie: sid={user}", f"Authorization: Bearer {user}", f"Accept-Language: {user}"
        assert (await talk.ask("GET /stripped", *fields)).text() == "for all"
    (asked,) = talk.asked
    lines = asked.lines
    assert [lines.get(name) for name in ("Cookie", "Authorization", "Accept-Language")] == [None] * 3
    assert [lines.get(name) for name in ("X-Stage", "X-Csrf-Token", "X-Extra")] == ["live", "7", "more"]


async def test_what_is_set_is_the_same_for_all_on_every_way(talk: Dialogue) -> None:
    for token in ("7", "7", "7", "8", "9"):
        for request in ("GET /stripped", "POST /stripped"):
            talk.answers("200\nCache-Control: no-store\n\nx")
            body = None if request.startswith("GET") else b"x"
            await talk.ask(request, f"X-Csrf-Token: {token}", f"Cookie: {token}", "X-Stage: test", body=body)
            lines = talk.asked[-1].lines
            assert (lines.get("X-Csrf-Token"), lines.get("X-Stage"), lines.get("Cookie")) == ("7", "live", None)


async def test_what_is_added_stands_beside_what_came(talk: Dialogue) -> None:
    for number in ("7", "7", "9", "9", "1"):
        talk.answers(f"200\nCache-Control: no-store\nX-Correlation-Id: {number}\n\nx")
        answer = await talk.ask("GET /added", f"X-Csrf-Token: {number}")
        assert answer.lines.all("X-Correlation-Id") == [number, "9"]
        assert talk.asked[-1].lines.all("X-Csrf-Token") == [number, "7"]
