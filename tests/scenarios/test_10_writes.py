"""Writes one after the other: what the first taught holds for the next, and each invalidates what it changes."""

from __future__ import annotations

import asyncio

import pytest

from tests.scenarios.dialogue import HANG_UP, Dialogue, framed

POLICIES = """\
version: 1
rate_limits:
  three: {rate: 3/1h, burst: 3, key: route}
routes:
  - {name: few, match: {path: "/{room}/few/{id}", methods: [POST]}, rate_limit: three}
  - {name: small, match: {path: "/{room}/small/{id}", methods: [PUT]}, max_body: 4B}
  - {name: asks, match: {path: "/{room}/asks/{id}", methods: [POST]}, cache: {compat: {post_as_query: true}}}
  - {name: keyed, match: {path: "/{room}/keyed/{id}", methods: [POST]}, retry_writes: with-key}
  - {name: twice, match: {path: "/{room}/twice/{id}", methods: [PUT]}, retry_writes: always}
  - {name: pages, match: {path: "/{room}/pages/{id}", methods: [GET]}, cache: {tags: ["{room}:{id}"]}}
  - name: users
    match: {path: "/{room}/users/{id}", methods: [PUT]}
    invalidates: ["{room}:{id}"]
"""
FRESH = "200\nCache-Control: max-age=600"
TIMES = 5
"""So often that whatever can be learned has been learned."""


async def learned(talk: Dialogue, line: str = "PUT /users/", status: str = "200") -> None:
    """Let the fast path see how the origin answers writes, so that what follows goes its way too."""
    for number in range(TIMES):
        talk.answers(f"{status}\n\n{'' if status == '204' else 'done'}")
        answer = await talk.ask(f"{line}{100 + number}", body=b"hi")
        assert answer.status == int(status)


@pytest.mark.parametrize(
    ("line", "field", "repeated"),
    [
        ("POST /keyed/", 'Idempotency-Key: "a1"', True),
        ("POST /keyed/", "X-Key: a1", False),
        ("PUT /twice/", "X-Key: a1", True),
        ("PUT /small/", 'Idempotency-Key: "a1"', False),
    ],
)
async def test_where_the_policy_allows_it_a_write_whose_connection_broke_is_sent_again(
    talk: Dialogue, line: str, field: str, repeated: bool
) -> None:
    for number in range(TIMES):
        talk.answers("200\n\ndone")
        assert (await talk.ask(f"{line}{100 + number}", field, body=b"hi")).status == 200
    talk.answers(HANG_UP, *["200\n\ndone at last"] * repeated)
    answer = await talk.ask(f"{line}1", field, body=b"hi")
    assert answer.status == (200 if repeated else 502)
    assert [asked.body for asked in talk.asked[TIMES:]] == [b"hi"] * (1 + repeated)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("status", ["200", "201", "202", "204", "403"])
async def test_each_is_sent_once_as_it_came_and_has_its_own_answer(talk: Dialogue, method: str, status: str) -> None:
    for number in range(TIMES):
        body = "" if status == "204" else f"answer {number}"
        talk.answers(f'{status}\nETag: "{number}"\n\n{body}')
        content = b"content" * number
        answer = await talk.ask(f"{method} /a/{number}?q={number}", f"X-Request-ID: id-{number}", body=content or None)
        assert (answer.status, answer.reason, answer.text()) == (int(status), "As-Scripted", body)
        assert answer.lines.get("etag") == f'"{number}"'
        assert answer.lines.get("x-request-id") == f"id-{number}"
        assert answer.lines.get("cache-status") == "Veneer; fwd=method; detail=method"
        asked = talk.asked[-1]
        assert (asked.path, asked.body) == (f"/a/{number}?q={number}", content)
        assert asked.lines.all("x-request-id") == [f"id-{number}"]
        assert [name for name, _ in asked.lines if name != "Content-Length"] == [
            name for name, _ in talk.asked[0].lines if name != "Content-Length"
        ]
    assert len(talk.asked) == TIMES


@pytest.mark.parametrize("status", ["200", "204"])
async def test_each_ends_what_it_changes_and_nothing_else(talk: Dialogue, status: str) -> None:
    await learned(talk, status=status)
    for number in range(TIMES):
        path = f"GET /pages/{number}"
        talk.answers(f"{FRESH}\n\nold", f"{FRESH}\n\nother")
        await talk.ask(path)
        await talk.ask(f"{path}x")
        talk.answers(f"{status}\n\n{'' if status == '204' else 'done'}", f"{FRESH}\n\nnew")
        await talk.ask(f"PUT /users/{number}", body=b"hi")
        assert (await talk.ask(path)).text() == "new"
        assert (await talk.ask(path)).text() == "new"
        assert (await talk.ask(f"{path}x")).text() == "other"


async def test_its_own_target_ends_as_well(talk: Dialogue) -> None:
    await learned(talk, "POST /any/")
    for number in range(TIMES):
        talk.answers(f"{FRESH}\n\nold", "200\n\ndone", f"{FRESH}\n\nnew")
        await talk.ask(f"GET /any/{number}")
        await talk.ask(f"POST /any/{number}", body=b"hi")
        assert (await talk.ask(f"GET /any/{number}")).text() == "new"


async def test_a_fetch_that_began_before_it_is_outdated(talk: Dialogue) -> None:
    await learned(talk)
    go = asyncio.Event()
    talk.answers([go, framed(f"{FRESH}\n\nold")], "200\n\ndone")
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(talk.ask("GET /pages/late"))
        await talk.reached(TIMES + 1)
        await talk.ask("PUT /users/late", body=b"hi", client=talk.client())
        go.set()
    assert reading.result().text() == "old"
    talk.answers(f"{FRESH}\n\nnew")
    assert (await talk.ask("GET /pages/late")).text() == "new"


@pytest.mark.parametrize("outcome", [HANG_UP, "502\n\n", "504\n\n"])
async def test_one_whose_outcome_nobody_knows_is_in_doubt_and_not_sent_again(talk: Dialogue, outcome: str) -> None:
    await learned(talk)
    talk.answers(f"{FRESH}\n\nold", outcome)
    await talk.ask("GET /pages/1")
    assert (await talk.ask("PUT /users/1", body=b"hi")).status in {502, 504}
    assert talk.paths()[-1] == "PUT /users/1"
    talk.answers(f"{FRESH}\n\nstill old", f"{FRESH}\n\nnew")
    assert (await talk.ask("GET /pages/1")).text() == "still old"
    assert (await talk.ask("GET /pages/1")).text() == "new"


async def test_an_error_ends_nothing_that_the_policy_names(talk: Dialogue) -> None:
    await learned(talk)
    talk.answers(f"{FRESH}\n\nold", "422\n\nno")
    await talk.ask("GET /pages/1")
    assert (await talk.ask("PUT /users/1", body=b"hi")).status == 422
    assert (await talk.ask("GET /pages/1")).text() == "old"


async def test_what_a_response_names_ends_too(talk: Dialogue) -> None:
    await learned(talk)
    room = talk.at("/")[1:-1]
    for field in (f"X-Cache-Invalidate: {room}:2", f"Location: {talk.at('/pages/2')}", 'Cache-Group-Invalidation: "g"'):
        talk.answers(f'{FRESH}\nCache-Groups: "g"\n\nold', f"200\n{field}\n\ndone", f"{FRESH}\n\nnew")
        await talk.ask("GET /pages/2")
        await talk.ask("PUT /users/1", body=b"hi")
        assert (await talk.ask("GET /pages/2")).text() == "new"
        talk.answers("200\n\ndone")
        await talk.ask("PUT /users/2", body=b"hi")


@pytest.mark.parametrize(
    "field", ["X-Cache-Invalidate: {room}:{n}", 'Cache-Group-Invalidation: "g{n}"', "Location: {at}{n}"]
)
async def test_what_each_response_names_ends(talk: Dialogue, field: str) -> None:
    room, at = talk.at("/")[1:-1], talk.at("/pages/")
    for number in range(2 * TIMES):
        talk.answers(f'{FRESH}\nCache-Groups: "g{number}"\n\nold', f"{FRESH}\n\nother")
        await talk.ask(f"GET /pages/{number}")
        await talk.ask(f"GET /pages/{number}x")
        talk.answers(f"200\n{field.format(room=room, at=at, n=number)}\n\ndone", f"{FRESH}\n\nnew")
        answer = await talk.ask("PUT /any/1", body=b"hi")
        assert answer.lines.get("location") == (f"{at}{number}" if field.startswith("Location") else None)
        assert (await talk.ask(f"GET /pages/{number}")).text() == "new"
        assert (await talk.ask(f"GET /pages/{number}x")).text() == "other"


async def test_a_client_that_leaves_has_written_all_the_same(talk: Dialogue) -> None:
    await learned(talk)
    go = asyncio.Event()
    talk.answers(f"{FRESH}\n\nold", [go, framed("200\n\ndone")])
    await talk.ask("GET /pages/1")
    _, writer = await talk.connect()
    writer.write(f"PUT {talk.at('/users/1')} HTTP/1.1\r\nHost: 127.0.0.1:{talk.port}\r\n".encode())
    writer.write(b"Content-Length: 2\r\n\r\nhi")
    await talk.began(TIMES + 2)
    writer.transport.abort()
    go.set()
    talk.answers(*[f"{FRESH}\n\nnew"] * 100)
    async with asyncio.timeout(5):
        while (await talk.ask("GET /pages/1")).text() != "new":
            pass
    talk.forget_answers()


async def test_the_rate_limit_counts_them(talk: Dialogue) -> None:
    talk.answers(*["200\n\ndone"] * 3)
    statuses = [(await talk.ask(f"POST /few/{number}", body=b"hi")).status for number in range(TIMES)]
    assert statuses == [200, 200, 200, 429, 429]


async def test_a_body_that_is_too_large_is_refused_as_ever(talk: Dialogue) -> None:
    await learned(talk, "PUT /small/")
    assert (await talk.ask("PUT /small/1", body=b"large")).status == 413


async def test_a_post_that_asks_is_no_write(talk: Dialogue) -> None:
    talk.answers(f"{FRESH}\n\none")
    told = {(await talk.ask("POST /asks/1", body=b"hi")).text() for _ in range(TIMES)}
    assert told == {"one"}


async def test_a_response_to_post_may_answer_later_gets(talk: Dialogue) -> None:
    await learned(talk, "POST /any/")
    talk.answers(*[f"{FRESH}\nContent-Location: {talk.at('/any/1')}\n\nwhole"] * TIMES)
    for _ in range(TIMES):
        await talk.ask("POST /any/1", body=b"hi")
        assert (await talk.ask("GET /any/1")).text() == "whole"


async def test_a_coded_answer_is_the_pipelines(talk: Dialogue) -> None:
    long = "long " * 1000
    for _ in range(3 * TIMES):
        talk.answers(f"200\nContent-Type: text/plain\n\n{long}")
        answer = await talk.ask("POST /any/1", "Accept-Encoding: gzip", body=b"hi")
        assert answer.lines.get("content-encoding") == "gzip"
    talk.answers("200\nContent-Type: text/plain\n\nshort")
    assert (await talk.ask("POST /any/1", "Accept-Encoding: gzip", body=b"hi")).text() == "short"
