"""What a response does to the store: put, updated, completed or forgotten."""

from __future__ import annotations

import pytest

from tests.support.pipeline import FRESH, Bench, ScriptedResponse, says
from veneer.core.fields import Pair
from veneer.pipeline.answer import Answer, StreamBody
from veneer.pipeline.exchange import CacheResult
from veneer.pipeline.fetch import Fetcher
from veneer.pipeline.read import CacheHandler

TAG: Pair = ("ETag", '"one"')
OTHER: Pair = ("ETag", '"two"')


async def ask(bench: Bench, *fields: Pair, method: str = "GET", query: str | None = None) -> Answer:
    exchange = bench.exchange(*fields, method=method, query=query)
    return await CacheHandler(bench.services, Fetcher(bench.services)).answer(exchange)


async def after(bench: Bench, *said: ScriptedResponse, seconds: float = 61) -> Bench:
    """The bench once it has stored the first of these and time has passed; the others are said from then on."""
    bench.backend.script = list(said)
    await ask(bench)
    bench.clock.advance(seconds)
    return bench


async def test_a_body_that_turns_out_too_long_passes_and_is_not_stored() -> None:
    bench = Bench("{name: r, match: {path: /x}, cache: {max_body: 3B}}")
    bench.backend.script = [ScriptedResponse(FRESH, body=(b"he", b"llo"))]
    body = (await ask(bench)).body
    assert isinstance(body, StreamBody)
    assert b"".join([piece async for piece in body.chunks]) == b"hello"
    await bench.settled()
    assert bench.stored() == []


async def test_a_304_that_forbids_storing_ends_what_was_stored() -> None:
    forbids = ScriptedResponse(("Cache-Control", "no-store"), TAG, status=304, body=())
    bench = await after(Bench(), says(FRESH, TAG), forbids)
    assert (await ask(bench)).use is CacheResult.REVALIDATED, "it answers this request"
    assert bench.stored() == []


async def test_a_304_may_change_the_tags() -> None:
    confirms = ScriptedResponse(FRESH, TAG, ("Surrogate-Key", "b"), status=304, body=())
    bench = await after(Bench(), says(FRESH, TAG, ("Surrogate-Key", "a")), confirms)
    await ask(bench)
    assert [entry.tags for entry in bench.stored()] == [("b",)]


async def test_a_head_that_agrees_updates_what_get_stored() -> None:
    bench = await after(Bench(), says(FRESH, TAG), says(FRESH, TAG, ("X-New", "1")))
    await ask(bench, method="HEAD")
    (entry,) = bench.stored()
    assert (entry.body, entry.fields.get("x-new")) == (b"hello", "1")
    assert (await ask(bench)).use is CacheResult.HIT


async def test_a_head_that_differs_ends_it() -> None:
    bench = await after(Bench(), says(FRESH, TAG), says(FRESH, OTHER))
    await ask(bench, method="HEAD")
    assert bench.stored() == []


@pytest.mark.parametrize("status", [404, 410, 200])
async def test_an_answer_that_is_not_stored_ends_what_it_stands_for(status: int) -> None:
    bench = await after(Bench(), says(FRESH, TAG), says(("Cache-Control", "no-store"), status=status))
    await ask(bench)
    assert bench.stored() == []


async def test_a_failure_of_the_backend_ends_nothing() -> None:
    bench = await after(Bench(), says(FRESH, TAG), says(status=503))
    await ask(bench)
    assert len(bench.stored()) == 1


async def test_what_only_authorization_keeps_from_the_store_says_nothing_of_others() -> None:
    bench = await after(Bench(), says(FRESH, TAG), says(FRESH, OTHER))
    await ask(bench, ("Authorization", "Bearer t"))
    assert [entry.fields.get("etag") for entry in bench.stored()] == ['"one"']


async def test_the_rest_completes_a_beginning() -> None:
    part = ("Cache-Control", "max-age=600")
    bench = Bench()
    first = says(part, TAG, ("Content-Range", "bytes 0-4/10"), status=206, body=b"01234")
    rest = says(part, TAG, ("Content-Range", "bytes 5-9/10"), status=206, body=b"56789")
    bench.backend.script = [first, rest]
    await ask(bench, ("Range", "bytes=0-4"))
    await ask(bench)
    whole = [entry for entry in bench.stored() if entry.span is None]
    assert [entry.body for entry in whole] == [b"0123456789"]


async def test_a_rest_of_something_else_is_fetched_anew() -> None:
    part = ("Cache-Control", "max-age=600")
    bench = Bench()
    first = says(part, TAG, ("Content-Range", "bytes 0-4/10"), status=206, body=b"01234")
    rest = says(part, OTHER, ("Content-Range", "bytes 5-9/10"), status=206, body=b"56789")
    bench.backend.script = [first, rest, says(part, OTHER, body=b"abcdefghij")]
    await ask(bench, ("Range", "bytes=0-4"))
    await ask(bench)
    assert len(bench.backend.asked) == 3
    assert b"abcdefghij" in [entry.body for entry in bench.stored()]


async def test_a_response_that_names_its_parameters_answers_for_others() -> None:
    bench = Bench()
    bench.backend.script = [says(FRESH, ("No-Vary-Search", 'params=("utm")'))]
    await ask(bench, query="a=1&utm=x")
    assert (await ask(bench, query="a=1&utm=y")).use is CacheResult.HIT
