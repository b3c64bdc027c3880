"""A lifetime by policy where the backend chooses by a field that it does not name: the log says so, once."""

from __future__ import annotations

import asyncio
import gzip
import uuid

import pytest

from devstack.process import wait_until
from tests.scenarios.conftest import Stage
from tests.scenarios.dialogue import Dialogue

POLICIES = """\
version: 1
defaults: {compress: {enabled: false}}
routes:
  - {name: types, match: {path: "/{room}/types"}, cache: {ttl: 1h}}
  - {name: languages, match: {path: "/{room}/languages"}, cache: {ttl: 1h}}
  - {name: codings, match: {path: "/{room}/codings"}, cache: {ttl: 1h}}
  - {name: keyed, match: {path: "/{room}/keyed"}, cache: {ttl: 1h, key: {headers: [Accept]}}}
  - {name: told, match: {path: "/{room}/told"}, cache: {ttl: 1h}}
  - {name: same, match: {path: "/{room}/same"}, cache: {ttl: 1h}}
"""
AGAIN = "Cache-Control: no-cache"


async def warnings(stage: Stage, talk: Dialogue, route: str, *, least: int = 0) -> list[str]:
    """What was said of a route until the log told of the last request of this conversation, and of `least` warnings.

    Access lines and what the program says of itself go to the log by two ways, so that one may overtake the other.
    """
    last = f"/last-{uuid.uuid4()}"
    talk.answers("503\n\n")
    await talk.ask(f"GET {last}")
    assert await asyncio.to_thread(wait_until, lambda: last in stage.proxy.process.log_text(), timeout_s=10)

    def said() -> list[str]:
        return [line for line in stage.proxy.process.log_text().splitlines() if f"route {route}: " in line]

    assert await asyncio.to_thread(wait_until, lambda: len(said()) >= least, timeout_s=10)
    return said()


async def answered(talk: Dialogue, path: str, *fields: str) -> None:
    """What `path` is answered with, one after the other: each is asked for anew."""
    talk.answers(*(f"200\n{field}\n\nx" for field in fields))
    for _ in fields:
        assert (await talk.ask(f"GET /{path}", "Accept: */*", AGAIN)).text() == "x"


async def test_types_that_differ_without_vary_are_warned_about_once(stage: Stage, talk: Dialogue) -> None:
    html, json = "Content-Type: text/html; charset=utf-8", "Content-Type: application/json"
    talk.answers(f"200\n{html}\n\nx")
    for accept in ("text/html", "application/json"):
        assert (await talk.ask("GET /types", f"Accept: {accept}")).lines.get("Content-Type") == html[14:]
    assert await warnings(stage, talk, "types") == []
    await answered(talk, "types", json, html, json)
    (line,) = await warnings(stage, talk, "types", least=1)
    assert '"level": "warning"' in line
    assert "was answered with text/html before and with application/json now" in line
    assert "let it say `Vary: Accept`, or write `cache: {key: {headers: [Accept]}}`" in line


async def test_languages_and_codings_as_well(stage: Stage, talk: Dialogue) -> None:
    await answered(talk, "languages", "Content-Language: en", "Content-Language: fr")
    coded = gzip.compress(b"x")
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(coded)}\r\n\r\n"
    talk.answers("200\n\nx", head.encode() + coded)
    for _ in range(2):
        assert (await talk.ask("GET /codings", "Accept-Encoding: gzip", AGAIN)).text() == "x"
    assert (
        "write `cache: {key: {headers: [Accept-Language]}}`" in (await warnings(stage, talk, "languages", least=1))[0]
    )
    assert "with identity before and with gzip now" in (await warnings(stage, talk, "codings", least=1))[0]


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("keyed", ("Content-Type: text/html", "Content-Type: application/json")),
        ("told", ("Content-Type: text/html\nVary: Accept", "Content-Type: application/json\nVary: Accept")),
        ("same", ("Content-Type: text/html; charset=utf-8", "Content-Type: TEXT/HTML")),
    ],
)
async def test_what_is_declared_or_the_same_is_not(
    stage: Stage, talk: Dialogue, path: str, fields: tuple[str, ...]
) -> None:
    await answered(talk, path, *fields)
    assert await warnings(stage, talk, path) == []


async def test_an_error_is_no_other_type(stage: Stage, talk: Dialogue) -> None:
    talk.answers("200\nContent-Type: application/json\n\n{}", "404\nContent-Type: text/html\n\nno")
    assert (await talk.ask("GET /same", AGAIN)).status == 200
    assert (await talk.ask("GET /same", AGAIN)).status == 404
    assert await warnings(stage, talk, "same") == []
