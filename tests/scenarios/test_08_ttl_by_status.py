"""A route's own lifetime may hang on the status: the most exact of what it says counts, the origin's word first."""

from __future__ import annotations

import pytest

from tests.scenarios.dialogue import Dialogue

POLICIES = """\
version: 1
routes:
  - name: by-status
    match: {path: "/{room}/a"}
    cache: {ttl: {404: 10s, 4xx: 1m, 302: 1h, 503: 5s, default: 5m}}
  - name: no-default
    match: {path: "/{room}/b"}
    cache: {ttl: {404: 10s}}
  - name: overriding
    match: {path: "/{room}/c"}
    cache: {ttl: {404: 10s}, origin: override}
  - name: preflight
    match: {path: "/{room}/p"}
    cache: {ttl: {2xx: 1d}, preflight: 30s}
"""


async def ttl(talk: Dialogue, request: str, answer: str, *fields: str) -> str | None:
    """The ttl that the second client of an answer is told; None where the origin was asked again."""
    talk.answers(answer)
    await talk.ask(request, *fields)
    talk.forget_answers()
    talk.answers("200\nCache-Control: no-store\n\nasked again")
    said = ""
    for _ in range(5):
        again = await talk.ask(request, *fields)
        if "hit" not in (said := again.lines.get("Cache-Status") or ""):
            return None
    talk.forget_answers()
    return said.partition("ttl=")[2]


@pytest.mark.parametrize(
    ("status", "seconds"),
    [(404, 10), (410, 60), (403, 60), (302, 3600), (503, 5), (200, 300), (301, 300), (500, None), (303, None)],
)
async def test_the_most_exact_status_counts(talk: Dialogue, status: int, seconds: int | None) -> None:
    said = await ttl(talk, "GET /a", f"{status}\nLocation: /b\n\nbody")
    assert (said is None) is (seconds is None)
    if said is not None and seconds is not None:
        assert seconds - 3 <= int(said) <= seconds


async def test_what_is_about_one_request_is_not_stored_by_a_range(talk: Dialogue) -> None:
    assert await ttl(talk, "GET /a", '401\nWWW-Authenticate: Basic realm="x"\n\nwho?') is None


async def test_other_statuses_have_no_lifetime_without_a_default(talk: Dialogue) -> None:
    assert await ttl(talk, "GET /b", "200\n\nbody") is None


async def test_the_origin_is_heard_first(talk: Dialogue) -> None:
    said = await ttl(talk, "GET /a", "404\nCache-Control: max-age=600\n\nbody")
    assert said is not None
    assert int(said) > 500


async def test_override_is_for_the_statuses_that_have_a_lifetime(talk: Dialogue) -> None:
    said = await ttl(talk, "GET /c", "404\nCache-Control: max-age=600\n\nbody")
    assert said is not None
    assert int(said) <= 10


async def test_a_preflight_has_the_lifetime_of_preflights(talk: Dialogue) -> None:
    asks = ("Origin: https://a.example", "Access-Control-Request-Method: PUT")
    said = await ttl(talk, "OPTIONS /p", "204\nAccess-Control-Allow-Origin: https://a.example\n\n", *asks)
    assert said is not None
    assert int(said) <= 30
