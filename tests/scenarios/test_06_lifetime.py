"""What clients are told of a lifetime where the route says `client_lifetime: remaining`."""

from __future__ import annotations

from email.utils import formatdate, parsedate_to_datetime

import pytest

from checks.conformance.client import Response
from tests.scenarios.dialogue import Dialogue

POLICIES = """\
version: 1
routes:
  - {name: plain, match: {path: "/{room}/plain"}}
  - {name: silent, match: {path: "/{room}/silent"}, cache: {ttl: 1h, client_lifetime: remaining}}
  - {name: remaining, match: {path: "/{room}/{rest:path}"}, cache: {client_lifetime: remaining}}
"""
OLD = 'Age: 30\nCache-Control: public, max-age=100, stale-while-revalidate=60, no-cache="x"\nETag: "a"\n'
TEXT = "Content-Type: text/plain\n\n" + "some text " * 500


def now() -> float:
    return parsedate_to_datetime(formatdate(usegmt=True)).timestamp()


def moment(response: Response, name: str) -> float:
    return parsedate_to_datetime(response.lines.get(name) or "").timestamp()


def left(response: Response, of: str = "Cache-Control") -> int:
    """The max-age told, of a response that has no Age."""
    assert response.lines.get("Age") is None
    assert abs(moment(response, "Date") - now()) < 30
    return int((response.lines.get(of) or "").partition("max-age=")[2].partition(",")[0])


async def test_max_age_is_what_remains(talk: Dialogue) -> None:
    talk.answers("200\n" + OLD + TEXT)
    first = await talk.ask("GET /a")
    assert (first.lines.get("Age"), "max-age=100" in (first.lines.get("Cache-Control") or "")) == ("30", True)
    for _ in range(4):  # the fast path would have learned it by then
        hit = await talk.ask("GET /a")
        assert 0 < left(hit) <= 70
        told = hit.lines.get("Cache-Control") or ""
        assert told.startswith("public, max-age=")
        assert told.endswith('stale-while-revalidate=60, no-cache="x"')
        assert hit.text() == first.text()


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["Accept-Encoding: br"], 200),
        (["Range: bytes=0-9"], 206),
        (['If-None-Match: "a"'], 304),
        (["TE: trailers"], 200),
    ],
)
async def test_so_it_is_in_every_form(talk: Dialogue, lines: list[str], status: int) -> None:
    talk.answers("200\n" + OLD + TEXT)
    await talk.ask("GET /a")
    for method in ("GET", "GET", "GET", "HEAD"):
        answer = await talk.ask(f"{method} /a", *lines)
        assert answer.status == (200 if method == "HEAD" and status == 206 else status)
        assert 0 < left(answer) <= 70


async def test_expires_lies_as_far_ahead_as_is_left(talk: Dialogue) -> None:
    made = now() - 3600 - 40  # the origin's clock is an hour behind
    dates = f"Date: {formatdate(made, usegmt=True)}\nExpires: {formatdate(made + 7200, usegmt=True)}\n"
    talk.answers("200\n" + dates + TEXT)
    await talk.ask("GET /a")
    for _ in range(3):
        hit = await talk.ask("GET /a")
        assert hit.lines.get("Age") is None
        assert 3000 < moment(hit, "Expires") - moment(hit, "Date") <= 7200 - 3640


async def test_shared_caches_are_told_what_remains_as_well(talk: Dialogue) -> None:
    lifetimes = "Cache-Control: max-age=50, s-maxage=200\nOther-Cache-Control: max-age=300\n"
    talk.answers("200\nAge: 30\n" + lifetimes + TEXT)
    await talk.ask("GET /a")
    hit = await talk.ask("GET /a")
    assert 0 <= left(hit) <= 20
    assert 0 < left(hit, "Other-Cache-Control") <= 270
    assert 0 < int((hit.lines.get("Cache-Control") or "").rpartition("s-maxage=")[2]) <= 170


async def test_what_is_stale_has_nothing_left(talk: Dialogue) -> None:
    talk.answers('200\nAge: 90\nCache-Control: max-age=60\nETag: "a"\n' + TEXT)
    await talk.ask("GET /a")
    assert left(await talk.ask("GET /a", "Cache-Control: max-stale=600")) == 0


async def test_where_no_lifetime_is_stated_age_stays(talk: Dialogue) -> None:
    talk.answers("200\nAge: 30\n" + TEXT)
    await talk.ask("GET /silent")
    for _ in range(3):
        assert int((await talk.ask("GET /silent")).lines.get("Age") or 0) >= 30


async def test_other_routes_tell_age(talk: Dialogue) -> None:
    talk.answers("200\n" + OLD + TEXT)
    await talk.ask("GET /plain")
    for _ in range(3):
        hit = await talk.ask("GET /plain")
        assert int(hit.lines.get("Age") or 0) >= 30
        assert "max-age=100" in (hit.lines.get("Cache-Control") or "")
