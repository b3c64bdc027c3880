"""Names of things: what is keyed is what is forwarded, and what is invalidated is what was stored."""

from __future__ import annotations

import asyncio

import pytest

from tests.scenarios.conftest import Stage
from tests.scenarios.dialogue import Dialogue

POLICIES = """\
version: 1
routes:
  - {name: sorted, match: {path: "/{room}/sorted/{rest:path}"}, cache: {key: {query: {sort: true}}}}
  - {name: only, match: {path: "/{room}/only/{rest:path}"}, cache: {key: {query: {only: [id]}}}}
  - {name: paged, match: {path: "/{room}/paged"}, cache: {key: {query: {defaults: {page: "1"}}}}}
  - {name: quoted, match: {path: "/{room}/it's/{rest:path}"}, cache: {enabled: false}}
"""
FRESH = "200\nCache-Control: max-age=600"


async def ask_as(talk: Dialogue, host: str, target: str) -> str:
    """The answer's text to a GET with this target and Host, as they are."""
    raw = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode("latin-1")
    return (await talk.send_raw(raw)).partition(b"\r\n\r\n")[2].decode()


async def test_the_authority_in_the_target_decides_the_host(talk: Dialogue) -> None:
    talk.answers(f"{FRESH}\n\nvictim's", f"{FRESH}\n\nevil's")
    assert await ask_as(talk, "evil.example", "http://victim.example" + talk.at("/p")) == "victim's"
    assert talk.asked[0].lines.all("host") == ["victim.example"]
    assert await ask_as(talk, "victim.example", talk.at("/p")) == "victim's"
    assert await ask_as(talk, "evil.example", talk.at("/p")) == "evil's"


@pytest.mark.parametrize("host", ["VICTIM.test:80", "victim.TEST", "victim.test:080"])
async def test_the_host_that_is_keyed_is_forwarded(talk: Dialogue, host: str) -> None:
    talk.answers(f"{FRESH}\n\none")
    assert await ask_as(talk, host, talk.at("/p")) == "one"
    assert talk.asked[0].lines.all("host") == ["victim.test"]
    assert await ask_as(talk, "victim.test", talk.at("/p")) == "one"


async def test_the_first_page_is_one_with_its_number_and_without(talk: Dialogue) -> None:
    talk.answers(f"{FRESH}\n\nfirst", f"{FRESH}\n\nsecond")
    for target in ("/paged", "/paged?page=1", "/paged", "/paged?page=1") * 2:
        assert (await talk.ask(f"GET {target}")).text() == "first"
    assert (await talk.ask("GET /paged?page=2")).text() == "second"
    assert len(talk.paths()) == 2
    talk.answers("200\n\n", f"{FRESH}\n\nfirst anew")
    await talk.ask("POST /paged", body=b"")
    assert (await talk.ask("GET /paged?page=1")).text() == "first anew"
    assert (await talk.ask("GET /paged?page=2")).text() == "second"


async def test_a_location_is_invalidated_by_the_rules_of_its_own_route(talk: Dialogue) -> None:
    talk.answers(f"{FRESH}\n\na", f"{FRESH}\n\nb")
    await talk.ask("GET /sorted/x?b=2&a=1")
    await talk.ask("GET /only/x?utm=9&id=3")
    talk.answers(
        f"201\nLocation: {talk.at('/sorted/x?b=2&a=1')}\nContent-Location: {talk.at('/only/x?utm=1&id=3')}\n\n"
    )
    await talk.ask("POST /elsewhere", body=b"")
    talk.answers("200\n\nnew a", "200\n\nnew b")
    assert (await talk.ask("GET /sorted/x?a=1&b=2")).text() == "new a"
    assert (await talk.ask("GET /only/x?id=3")).text() == "new b"


@pytest.mark.parametrize("method", ["PUT", "PROPFIND"])
async def test_a_uri_named_outright_is_invalidated_by_the_rules_of_its_own_route(talk: Dialogue, method: str) -> None:
    searched = f'{FRESH}\nNo-Vary-Search: params=("utm")'
    talk.answers(f"{FRESH}\n\na", f"{FRESH}\n\nb", f"{searched}\n\nc")
    await talk.ask("GET /sorted/x?b=2&a=1")
    await talk.ask("GET /only/x?utm=9&id=3")
    await talk.ask("GET /searched?utm=9&id=3")
    named = " ".join(map(talk.at, ("/sorted/x?b=2&a=1", "/only/x?utm=1&id=3", "/searched?utm=1&id=3")))
    talk.answers(f"200\nX-Cache-Invalidate: {named}\nCache-Control: no-store\n\n")
    await talk.ask(f"{method} /it's/elsewhere", body=b"" if method == "PUT" else None)
    talk.answers("200\n\nnew a", "200\n\nnew b", "200\n\nnew c")
    assert (await talk.ask("GET /sorted/x?a=1&b=2")).text() == "new a"
    assert (await talk.ask("GET /only/x?id=3")).text() == "new b"
    assert (await talk.ask("GET /searched?utm=2&id=3")).text() == "new c"


@pytest.mark.parametrize("every_host", [True, False])
async def test_a_purge_reaches_what_answers_several_queries(talk: Dialogue, stage: Stage, every_host: bool) -> None:
    talk.answers(f'{FRESH}\nNo-Vary-Search: params=("utm")\n\nold', "200\n\nnew")
    await talk.ask("GET /searched?utm=9&id=3")
    url = ("" if every_host else f"http://127.0.0.1:{talk.port}") + talk.at("/searched?utm=1&id=3")
    await asyncio.to_thread(stage.proxy.purge, {"urls": [url]})
    assert (await talk.ask("GET /searched?utm=2&id=3")).text() == "new"


async def test_what_the_backend_calls_its_own_is_invalidated(talk: Dialogue) -> None:
    backend = f"http://127.0.0.1:{talk.socket_port()}"
    talk.answers(f"{FRESH}\n\nold a", f"{FRESH}\n\nold b")
    await talk.ask("GET /a")
    await talk.ask("GET /b")
    talk.answers(f"201\nLocation: {backend}{talk.at('/a')}\nContent-Location: {backend}{talk.at('/b')}\n\n")
    await talk.ask("POST /elsewhere", body=b"")
    talk.answers("200\n\nnew a", "200\n\nnew b")
    assert (await talk.ask("GET /a")).text() == "new a"
    assert (await talk.ask("GET /b")).text() == "new b"


@pytest.mark.parametrize("method", ["MOVE", "COPY"])
async def test_what_is_moved_or_copied_is_invalidated_where_it_arrives(talk: Dialogue, method: str) -> None:
    talk.answers(f"{FRESH}\n\nold", f"{FRESH}\n\nbelow", "201\n\n", "200\n\nnew", "200\n\nnew below")
    await talk.ask("GET /to")
    await talk.ask("GET /to/below")
    await talk.ask(f"{method} /from", f"Destination: http://127.0.0.1:{talk.port}{talk.at('/to')}")
    assert (await talk.ask("GET /to")).text() == "new"
    assert (await talk.ask("GET /to/below")).text() == "new below"


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/box"), ("DELETE", "/box/"), ("MOVE", "/box/")])
async def test_what_lies_below_goes_with_its_collection(talk: Dialogue, method: str, path: str) -> None:
    talk.answers(f"{FRESH}\n\nin it", f"{FRESH}\n\nbeside it", "204", "404\n\n")
    await talk.ask("GET /box/a/b")
    await talk.ask("GET /boxes")
    await talk.ask(f"{method} {path}", f"Destination: {talk.at('/elsewhere')}")
    assert (await talk.ask("GET /box/a/b")).status == 404
    assert (await talk.ask("GET /boxes")).text() == "beside it"


@pytest.mark.parametrize(
    ("read", "written"),
    [
        ("/report%20(1).txt", "/report%20%281%29.txt"),
        ("/it%27s", "/it's"),
        ("/a%2Bb", "/a+b"),
        ("/a+b", "/a%2bb"),
        ("/%40scope", "/@scope"),
    ],
)
async def test_a_write_reaches_the_other_spelling_of_a_path(talk: Dialogue, read: str, written: str) -> None:
    talk.answers(f"{FRESH}\n\nold", "204", "200\n\nnew")
    await talk.ask(f"GET {read}")
    await talk.ask(f"PUT {written}", body=b"x")
    assert (await talk.ask(f"GET {read}")).text() == "new"
    assert talk.paths()[1] == f"PUT {written.replace('%2b', '%2B')}", "the backend sees the spelling that came"


async def test_a_route_matches_both_spellings(talk: Dialogue) -> None:
    talk.answers(*[f"{FRESH}\n\nx"] * 4)
    for path in ("/it's/a", "/it%27s/a") * 2:
        assert "cache-off" in ((await talk.ask(f"GET {path}")).lines.get("cache-status") or "")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Content-Language: en", "Content-Language: fr"),
        ("Content-Type: text/x; profile=A", "Content-Type: text/x; profile=a"),
        ('Content-Type: text/x; profile="a b"', 'Content-Type: text/x; profile="ab"'),
    ],
)
async def test_queries_that_differ_in_meaning_have_their_own_answers(talk: Dialogue, one: str, other: str) -> None:
    typed = () if "Type" in one else ("Content-Type: text/x",)
    talk.answers(f"{FRESH}\n\nfirst", f"{FRESH}\n\nsecond")
    assert (await talk.ask("QUERY /q", one, *typed, body=b"x")).text() == "first"
    assert (await talk.ask("QUERY /q", other, *typed, body=b"x")).text() == "second"
    assert (await talk.ask("QUERY /q", one, *typed, body=b"x")).text() == "first"


async def test_a_form_feed_is_no_space_of_json(talk: Dialogue) -> None:
    typed = "Content-Type: Application/JSON; Charset=utf-8"
    talk.answers(f"{FRESH}\n\ngood", f"{FRESH}\n\nbad")
    assert (await talk.ask("QUERY /q", typed, body=b'{"a":1}')).text() == "good"
    assert (
        await talk.ask("QUERY /q", "Content-Type: application/json;charset=utf-8", body=b'{ "a": 1\n}')
    ).text() == "good"
    assert (await talk.ask("QUERY /q", typed, body=b'{"a":\x0c1}')).text() == "bad"
