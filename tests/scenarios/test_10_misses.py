"""Misses one after the other: what the first taught holds for the next, and nothing else does."""

from __future__ import annotations

import asyncio

import pytest

from tests.scenarios.dialogue import HANG_UP, Dialogue, framed
from tests.support.codings import decode

POLICIES = """\
version: 1
rate_limits:
  three: {rate: 3/1h, burst: 3, key: route}
routes:
  - {name: off, match: {path: "/{room}/off/{id}"}, cache: {enabled: false}}
  - {name: tagged, match: {path: "/{room}/tagged/{id}", methods: [GET]}, cache: {tags: ["{room}:{id}"]}}
  - {name: marked, match: {path: "/{room}/marked/{id}"}, etag: generate}
  - {name: few, match: {path: "/{room}/few/{id}"}, rate_limit: three}
  - name: write
    match: {path: "/{room}/write/{id}", methods: [PUT]}
    invalidates: ["{room}:{id}"]
  - {name: hasty, match: {path: "/{room}/hasty/{id}"}, read_timeout: 300ms}
"""
FRESH = "200\nCache-Control: max-age=60"
TIMES = 5
"""So often that whatever can be learned has been learned."""


async def ask_in_turn(talk: Dialogue, path: str, *fields: str) -> list[str]:
    """Ask for `path` with a number behind it, again and again; what is said of the cache."""
    return [(await talk.ask(f"GET {path}{number}", *fields)).lines.get("cache-status") or "" for number in range(TIMES)]


async def test_each_has_its_own_answer(talk: Dialogue) -> None:
    talk.answers(*(f'{FRESH}\nETag: "{number}"\nX-Trace-Id: {number}\n\nbody {number}' for number in range(TIMES)))
    for number in range(TIMES):
        answer = await talk.ask(f"GET /a/{number}", f"X-Request-ID: id-{number}", f"Cookie: c={number}")
        assert answer.status == 200
        assert answer.reason == "As-Scripted"
        assert answer.text() == f"body {number}"
        assert answer.lines.get("etag") == f'"{number}"'
        assert answer.lines.get("x-trace-id") == f"{number}"
        assert answer.lines.get("x-request-id") == f"id-{number}"
        assert answer.lines.get("cache-status") == "Veneer; fwd=uri-miss; stored"
    for number in range(TIMES):
        answer = await talk.ask(f"GET /a/{number}")
        assert (answer.text(), answer.lines.get("etag")) == (f"body {number}", f'"{number}"')


async def test_the_backend_sees_each_request_as_it_came(talk: Dialogue) -> None:
    talk.answers(*[f"{FRESH}\n\nx"] * TIMES)
    for number in range(TIMES):
        await talk.ask(
            f"GET /a/{number}?q={number}",
            f"X-Request-ID: id-{number}",
            f"Cookie: c={number}",
            f"Referer: http://x/{number}",
        )
    for number, asked in enumerate(talk.asked):
        assert asked.path == f"/a/{number}?q={number}"
        assert asked.lines.all("x-request-id") == [f"id-{number}"]
        assert asked.lines.all("cookie") == [f"c={number}"]
        assert asked.lines.all("referer") == [f"http://x/{number}"]
        assert [name for name, _ in asked.lines] == [name for name, _ in talk.asked[0].lines]


async def test_a_stranger_tells_nothing_of_where_it_is(talk: Dialogue) -> None:
    """Not even when what it says is true the first time."""
    talk.answers(*[f"{FRESH}\n\nx"] * TIMES)
    for number in range(TIMES):
        address = "127.0.0.1" if number == 0 else "192.0.2.9"
        await talk.ask(f"GET /a/{number}", f"X-Forwarded-For: {address}", f"Forwarded: for={address}")
    for asked in talk.asked:
        assert asked.lines.all("x-forwarded-for") == ["127.0.0.1"]
        assert "192.0.2.9" not in (asked.lines.get("forwarded") or "")


async def test_what_may_not_be_stored_is_not(talk: Dialogue) -> None:
    talk.answers(*["200\nCache-Control: no-store\n\nx"] * (TIMES + 1))
    assert set(await ask_in_turn(talk, "/a/")) == {"Veneer; fwd=uri-miss; detail=no-store"}
    await talk.ask("GET /a/0")


async def test_a_route_without_a_cache_stores_nothing(talk: Dialogue) -> None:
    talk.answers(*[f"{FRESH}\n\nx"] * (TIMES + 1))
    assert set(await ask_in_turn(talk, "/off/")) == {"Veneer; fwd=bypass; detail=cache-off"}
    await talk.ask("GET /off/0")


async def test_a_response_unlike_the_ones_before_is_judged_anew(talk: Dialogue) -> None:
    others = (
        "200\nCache-Control: max-age=60, private\n\nx",
        "200\nCache-Control: max-age=60, no-store\n\nx",
        "404\nCache-Control: no-store\n\nx",
        f"{FRESH}\nAge: 100\n\nx",
        f"{FRESH}\nVary: *\n\nx",
    )
    for place, other in enumerate(others):
        talk.answers(*[f"{FRESH}\n\nx"] * TIMES, other, other)
        await ask_in_turn(talk, f"/{place}/")
        for _ in range(2):
            told = (await talk.ask(f"GET /{place}/other")).lines.get("cache-status") or ""
            assert "hit" not in told
    assert len(talk.asked) == len(others) * (TIMES + 2)


async def test_a_date_long_past_counts(talk: Dialogue) -> None:
    """The same head but for its Date: it has come stale."""
    talk.answers(*[f"{FRESH}\n\nx"] * TIMES, *[f"{FRESH}\nDate: Sat, 01 Jan 2000 00:00:00 GMT\n\nx"] * 2)
    await ask_in_turn(talk, "/a/")
    for _ in range(2):
        assert "hit" not in ((await talk.ask("GET /a/old")).lines.get("cache-status") or "")


async def test_tags_are_each_responses_own(talk: Dialogue) -> None:
    talk.answers(
        *(f'{FRESH}\nCache-Groups: "g{number}"\n\nx' for number in range(TIMES)), '204\nCache-Group-Invalidation: "g3"'
    )
    await ask_in_turn(talk, "/a/")
    await talk.ask("PUT /write/none", body=b"x")
    talk.answers("200\n\nnew")
    assert (await talk.ask("GET /a/4")).text() == "x"
    assert (await talk.ask("GET /a/3")).text() == "new"


async def test_tags_of_the_route_are_each_targets_own(talk: Dialogue) -> None:
    talk.answers(*[f"{FRESH}\n\nx"] * TIMES, "204")
    await ask_in_turn(talk, "/tagged/")
    await talk.ask("PUT /write/3", body=b"x")
    talk.answers("200\n\nnew")
    assert (await talk.ask("GET /tagged/4")).text() == "x"
    assert (await talk.ask("GET /tagged/3")).text() == "new"


async def test_a_write_while_a_miss_is_on_its_way_outdates_it(talk: Dialogue) -> None:
    go = asyncio.Event()
    talk.answers(*[f"{FRESH}\n\nx"] * TIMES)
    await ask_in_turn(talk, "/tagged/")
    talk.answers([go, framed(f"{FRESH}\n\nold")], "204")
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(talk.ask("GET /tagged/late"))
        await talk.reached(TIMES + 1)
        await talk.ask("PUT /write/late", body=b"x", client=talk.client())
        go.set()
    assert reading.result().text() == "old"
    talk.answers("200\n\nnew")
    assert (await talk.ask("GET /tagged/late")).text() == "new"


async def test_entity_tags_that_this_proxy_makes_are_each_bodys_own(talk: Dialogue) -> None:
    talk.answers(*(f"{FRESH}\n\nbody {number}" for number in range(TIMES)))
    tags = {(await talk.ask(f"GET /marked/{number}")).lines.get("etag") for number in range(TIMES)}
    assert len(tags) == TIMES


CHOICES = {
    "gzip, deflate": "gzip",
    "gzip, deflate, br, zstd": "br",
    "br;q=0.1, zstd": "zstd",
    "gzip;q=0.5, br;q=0": "gzip",
    "*": "br",
    "*;q=0, gzip": "gzip",
    "gzip, identity;q=0": "gzip",
    "identity;q=0, deflate": "",
    "identity, gzip;q=0.5": "",
    "GZIP": "gzip",
    "x-gzip": "gzip",
}
"""What clients say that they accept, and the coding that they get."""


@pytest.mark.parametrize(("accepted", "coding"), CHOICES.items())
async def test_each_client_gets_the_coding_it_likes_best(talk: Dialogue, accepted: str, coding: str) -> None:
    bodies = [f"{number} " * 1000 for number in range(TIMES)]
    typed = f"{FRESH}\nContent-Type: text/plain"
    talk.answers(*(f'{typed}\nETag: "{number}"\n\n{body}' for number, body in enumerate(bodies)))
    told = set[str]()
    for number, body in enumerate(bodies):
        for turn in ("miss", "hit", "hit again"):
            answer = await talk.ask(f"GET /a/{number}", f"Accept-Encoding: {accepted}")
            told.add(", ".join(name.lower() for name, _ in answer.lines if name.lower() != "age" or turn == "miss"))
            assert decode(coding, answer.body) == body.encode()
            assert answer.lines.all("content-encoding") == ([coding] if coding else [])
            assert answer.lines.get("etag") == (f'"{number}-{coding}"' if coding else f'"{number}"')
            assert answer.lines.all("vary") == ["Accept-Encoding"]
        assert (await talk.ask(f"GET /a/{number}")).text() == body
    assert len(told) == 1


async def test_who_may_not_be_coded_for_is_not(talk: Dialogue) -> None:
    """The same head but for its length, and once with a word that forbids it."""
    typed, long, accepts = f"{FRESH}\nContent-Type: text/plain", "long " * 500, "Accept-Encoding: gzip"
    talk.answers(*[f"{typed}\n\n{long}"] * TIMES, *[f"{typed}\n\nshort"] * TIMES, f"{typed}, charset=x\n\n{long}")
    await ask_in_turn(talk, "/long/", accepts)
    for number in range(TIMES):
        answer = await talk.ask(f"GET /short/{number}", accepts)
        assert (answer.text(), answer.lines.all("vary")) == ("short", [])
    assert (await talk.ask("GET /long/again", accepts)).lines.get("content-encoding") == "gzip"
    talk.answers(f"{typed}\nCache-Control: no-transform\n\n{long}")
    assert (await talk.ask("GET /as-it-is", accepts)).text() == long


async def test_coded_answers_that_are_not_stored_are_made_for_each(talk: Dialogue) -> None:
    bodies = [f"{number} " * 1000 for number in range(TIMES)]
    talk.answers(*(f"200\nCache-Control: no-store\nContent-Type: text/plain\n\n{body}" for body in bodies))
    for number, body in enumerate(bodies):
        answer = await talk.ask(f"GET /a/{number}", "Accept-Encoding: gzip")
        assert decode("gzip", answer.body) == body.encode()
        assert answer.lines.get("cache-status") == "Veneer; fwd=uri-miss; detail=no-store"


async def test_entity_tags_made_here_name_the_coding_too(talk: Dialogue) -> None:
    talk.answers(*(f"{FRESH}\nContent-Type: text/plain\n\n{f'{number} ' * 1000}" for number in range(TIMES)))
    for number in range(TIMES):
        coded = await talk.ask(f"GET /marked/{number}", "Accept-Encoding: gzip")
        whole = await talk.ask(f"GET /marked/{number}")
        assert coded.lines.get("etag") == (whole.lines.get("etag") or "")[:-1] + '-gzip"'


async def test_a_response_varies_by_what_its_own_request_said(talk: Dialogue) -> None:
    talk.answers(*(f"{FRESH}\nVary: Cookie\n\nfor {number}" for number in range(TIMES)))
    for number in range(TIMES):
        await talk.ask(f"GET /a/{number}", f"Cookie: c={number}")
    for number in range(TIMES):
        assert (await talk.ask(f"GET /a/{number}", f"Cookie: c={number}")).text() == f"for {number}"
    talk.answers("200\nVary: Cookie\n\nelse")
    assert (await talk.ask("GET /a/3", "Cookie: c=2")).text() == "else"


async def test_the_rate_limit_counts_misses(talk: Dialogue) -> None:
    talk.answers(*["200\nCache-Control: no-store\n\nx"] * 3)
    statuses = [(await talk.ask(f"GET /few/{number}")).status for number in range(TIMES)]
    assert statuses == [200, 200, 200, 429, 429]


async def test_a_response_in_pieces_or_without_a_length_is_whole_all_the_same(talk: Dialogue) -> None:
    talk.answers(*[f"{FRESH}\n\nx"] * TIMES)
    await ask_in_turn(talk, "/a/")
    whole = framed(f"{FRESH}\n\nabcdef")
    half, go = len(whole) - 3, asyncio.Event()
    chunked = whole.replace(
        b"Content-Length: 6\r\n\r\nabcdef", b"Transfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n0\r\n\r\n"
    )
    odd = whole.replace(b": 6", b": 06")
    talk.answers([whole[:half], go, whole[half:]], [whole[:40], go, whole[40:]], chunked, odd)
    go.set()
    for number in range(4):
        for _ in range(2):
            assert (await talk.ask(f"GET /pieces/{number}")).text() == "abcdef"


async def test_what_comes_behind_a_response_is_nobodys(talk: Dialogue) -> None:
    talk.answers(*[f"{FRESH}\n\nx"] * TIMES, framed(f"{FRESH}\n\nabc") + b"HTTP/1.1 200 OK\r\n\r\n", f"{FRESH}\n\nnext")
    await ask_in_turn(talk, "/a/")
    assert (await talk.ask("GET /b")).text() == "abc"
    assert (await talk.ask("GET /c")).text() == "next"


async def test_control_bytes_in_a_value_are_refused_as_ever(talk: Dialogue) -> None:
    talk.answers(*[f'{FRESH}\nETag: "{number}"\n\nx' for number in range(TIMES)], f'{FRESH}\nETag: "\x01"\n\nx')
    await ask_in_turn(talk, "/a/")
    assert (await talk.ask("GET /b")).status == 502


async def test_an_interim_response_comes_first(talk: Dialogue) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    talk.answers(*[f"{FRESH}\n\nx"] * TIMES, early + framed(f"{FRESH}\n\nabc"))
    await ask_in_turn(talk, "/a/")
    answer = await talk.ask("GET /b")
    assert answer.text() == "abc"
    assert [status for status, _ in answer.interim] == [103]


async def test_a_connection_that_the_backend_has_closed_costs_nothing(talk: Dialogue) -> None:
    talk.answers(*[f"{FRESH}\n\nx"] * TIMES, HANG_UP, f"{FRESH}\n\nagain")
    await ask_in_turn(talk, "/a/")
    assert (await talk.ask("GET /b")).text() == "again"


async def test_a_silent_backend_is_not_waited_for_for_ever(talk: Dialogue) -> None:
    go = asyncio.Event()
    talk.answers(*[f"{FRESH}\n\nx"] * TIMES, [go])
    await ask_in_turn(talk, "/hasty/")
    assert (await talk.ask("GET /hasty/silent")).status == 504
    go.set()


async def test_a_second_client_shares_the_fetch(talk: Dialogue) -> None:
    go = asyncio.Event()
    talk.answers(*[f"{FRESH}\n\nx"] * TIMES, [go, framed(f"{FRESH}\n\nshared")])
    await ask_in_turn(talk, "/a/")
    async with asyncio.TaskGroup() as group:
        first = group.create_task(talk.ask("GET /b"))
        await talk.reached(TIMES + 1)
        second = group.create_task(talk.ask("GET /b", client=talk.client()))
        await asyncio.sleep(0.1)
        go.set()
    assert [one.result().text() for one in (first, second)] == ["shared", "shared"]
    assert "collapsed" in (second.result().lines.get("cache-status") or "")


async def test_everybody_who_comes_meanwhile_shares_the_fetch_and_is_told_the_same(talk: Dialogue) -> None:
    """The pipeline answers those who wait at first, and the fast path those who wait later."""
    rounds, waiting = 4, 3
    goes = [asyncio.Event() for _ in range(rounds)]
    pages: list[list[bytes | asyncio.Event]] = [
        [go, framed(f"{FRESH}\n\npage {number}")] for number, go in enumerate(goes)
    ]
    talk.answers(*[f"{FRESH}\n\nx"] * TIMES, *pages)
    await ask_in_turn(talk, "/a/")
    clients, told = [talk.client() for _ in range(waiting)], set()
    for number, go in enumerate(goes):
        async with asyncio.TaskGroup() as group:
            first = group.create_task(talk.ask(f"GET /b/{number}"))
            await talk.reached(TIMES + number + 1)
            others = [group.create_task(talk.ask(f"GET /b/{number}", client=client)) for client in clients]
            await asyncio.sleep(0.05)
            go.set()
        assert [one.result().text() for one in (first, *others)] == [f"page {number}"] * (waiting + 1)
        told |= {one.result().lines.get("cache-status") or "" for one in others}
    # Who has come too late has a hit.
    assert {status for status in told if "; hit" not in status} == {"Veneer; fwd=uri-miss; stored; collapsed"}
    assert len(talk.asked) == TIMES + rounds


async def test_a_fetch_is_stored_although_its_client_has_left(talk: Dialogue) -> None:
    go = asyncio.Event()
    talk.answers(*[f"{FRESH}\n\nx"] * (TIMES + 1), [go, framed(f"{FRESH}\n\nkept")])
    await ask_in_turn(talk, "/a/")
    reader, writer = await talk.connect()
    for path in ("/before", "/b"):
        writer.write(f"GET {talk.at(path)} HTTP/1.1\r\nHost: 127.0.0.1:{talk.port}\r\n\r\n".encode())
        await talk.reached(TIMES + 1)
        await reader.read(1)
    await talk.reached(TIMES + 2)
    writer.close()
    await asyncio.sleep(0.1)
    go.set()
    assert (await talk.ask("GET /b")).text() == "kept"


async def test_requests_ahead_of_their_turn_are_answered_in_turn(talk: Dialogue) -> None:
    talk.answers(*(f"{FRESH}\n\nbody {number}" for number in range(TIMES)))
    heads = [f"GET {talk.at(f'/a/{number}')} HTTP/1.1\r\nHost: site\r\n" for number in range(TIMES)]
    heard = (await talk.send_raw(("\r\n".join(heads) + "Connection: close\r\n\r\n").encode())).decode()
    assert [heard.find(f"body {number}") for number in range(TIMES)] == sorted(
        heard.find(f"body {number}") for number in range(TIMES)
    )
    assert heard.count("HTTP/1.1 200") == TIMES
