"""Look up, decide, act: what is answered from the store, and what stands in where the backend fails."""

from __future__ import annotations

import pytest

from tests.support.pipeline import FRESH, REFUSED, Bench, ScriptedClient, ScriptedResponse, says
from veneer.core.fields import Pair
from veneer.core.invalidation import Invalidation
from veneer.core.outcome import Forward
from veneer.pipeline.answer import Answer, StoredBody, StreamBody
from veneer.pipeline.exchange import CacheResult, Refusal
from veneer.pipeline.fetch import Fetcher
from veneer.pipeline.handle import Handler
from veneer.pipeline.read import CacheHandler
from veneer.ports import LeaseState, UpstreamError

TAG: Pair = ("ETag", '"one"')
STALE = ("Cache-Control", "max-age=60, stale-while-revalidate=30, stale-if-error=600")
MUST = ("Cache-Control", "max-age=60, must-revalidate")


async def ask(bench: Bench, *fields: Pair, method: str = "GET") -> Answer:
    return await CacheHandler(bench.services, Fetcher(bench.services)).answer(bench.exchange(*fields, method=method))


async def filled(*fields: Pair, after_s: float = 0, route: str = "{name: r, match: {path: /x}}") -> Bench:
    """A bench that has stored a response with these fields, so long ago."""
    bench = Bench(route)
    bench.backend.script = [says(*fields)]
    await ask(bench)
    bench.clock.advance(after_s)
    return bench


async def test_a_miss_says_why_and_that_it_was_stored() -> None:
    bench = Bench()
    bench.backend.script = [says(FRESH)]
    answer = await ask(bench)
    assert (answer.use, answer.cache.forward, answer.cache.stored) == (CacheResult.MISS, Forward.URI_MISS, True)


@pytest.mark.parametrize("script", [says(FRESH), says(("Cache-Control", "no-store")), REFUSED])
async def test_a_request_that_never_looks_is_no_miss(script: ScriptedResponse | UpstreamError) -> None:
    bench = Bench("{name: r, match: {path: /x}, cache: {enabled: false}}")
    bench.backend.script = [script]
    answer = await ask(bench)
    assert (answer.use, answer.cache.forward) == (CacheResult.BYPASS, Forward.BYPASS)


async def test_a_hit_has_its_age_and_what_is_left_of_its_life() -> None:
    answer = await ask(await filled(FRESH, after_s=10))
    assert (answer.use, answer.cache.hit, answer.cache.ttl_s) == (CacheResult.HIT, True, 50)
    assert isinstance(answer.body, StoredBody)
    assert answer.body.age_s == 10


async def test_an_invalidated_entry_is_not_looked_at() -> None:
    bench = await filled(FRESH)
    await bench.log.append(Invalidation(everything=True), strict=True)
    bench.backend.script = [says(FRESH, body=b"new")]
    assert (await ask(bench)).use is CacheResult.MISS


async def test_without_a_lease_nothing_stored_is_served() -> None:
    bench = await filled(FRESH)
    bench.log.lease = LeaseState.EXPIRED
    bench.backend.script = [says(FRESH)]
    answer = await ask(bench)
    assert (answer.use, answer.cache.detail) == (CacheResult.MISS, "store-lost")


@pytest.mark.parametrize(
    ("fields", "after_s", "use"),
    [(FRESH, 10, CacheResult.STALE), (STALE, 61, CacheResult.STALE), (MUST, 61, CacheResult.MISS)],
    ids=["fresh", "stale-while-revalidate", "must-revalidate"],
)
async def test_a_route_may_serve_what_is_stored_without_a_lease(fields: Pair, after_s: float, use: CacheResult) -> None:
    bench = await filled(fields, after_s=after_s, route="{name: r, match: {path: /x}, on_store_loss: stale}")
    bench.log.lease = LeaseState.EXPIRED
    bench.backend.script = [says(STALE)]
    answer = await ask(bench)
    assert (answer.use, answer.cache.hit) == (use, use is CacheResult.STALE)
    if fields is FRESH:
        assert answer.cache.detail == "store-lost"
    await bench.settled()


async def test_an_error_that_nothing_may_stand_in_for_any_more_comes_as_it_is() -> None:
    bench = await filled(("Cache-Control", "max-age=60, stale-if-error=30"), TAG, after_s=91)
    bench.backend.script = [says(("Retry-After", "7"), status=503, body=b"mine")]
    client = ScriptedClient()
    await Handler(bench.services).handle(bench.exchange(client=client))
    assert client.head is not None
    assert (client.head.status, client.head.fields.get("retry-after"), client.body_sent) == (503, "7", b"mine")


async def test_stale_while_revalidate_answers_and_asks_behind() -> None:
    bench = await filled(STALE, TAG, after_s=61)
    bench.backend.script = [ScriptedResponse(STALE, TAG, status=304, body=())]
    assert (await ask(bench)).use is CacheResult.STALE
    await bench.settled()
    assert (await ask(bench)).use is CacheResult.HIT


async def test_a_confirmed_entry_is_told_as_revalidated() -> None:
    bench = await filled(FRESH, TAG, after_s=61)
    bench.backend.script = [ScriptedResponse(FRESH, TAG, status=304, body=())]
    answer = await ask(bench)
    assert (answer.use, answer.cache.forward, answer.cache.forward_status) == (
        CacheResult.REVALIDATED,
        Forward.STALE,
        304,
    )


@pytest.mark.parametrize(
    ("fields", "after_s", "use"),
    [(FRESH, 61, CacheResult.STALE), (STALE, 200, CacheResult.STALE), (MUST, 61, CacheResult.MISS)],
    ids=["disconnected", "stale-if-error", "must-revalidate"],
)
async def test_a_backend_that_is_away(fields: Pair, after_s: float, use: CacheResult) -> None:
    bench = await filled(fields, TAG, after_s=after_s)
    bench.backend.script = [REFUSED]
    answer = await ask(bench)
    assert answer.use is use
    assert answer.head.status == (200 if use is CacheResult.STALE else 502)


@pytest.mark.parametrize(("fields", "status"), [(STALE, 200), (FRESH, 503)], ids=["stale-if-error", "silent"])
async def test_a_backend_that_fails(fields: Pair, status: int) -> None:
    bench = await filled(fields, TAG, after_s=200)
    bench.backend.script = [says(status=503)]
    assert (await ask(bench)).head.status == status


async def test_what_was_invalidated_meanwhile_does_not_stand_in() -> None:
    bench = await filled(FRESH, TAG, after_s=61)
    ask_backend = bench.backend.exchange

    async def overtaken(*args: object, **more: object) -> ScriptedResponse:
        await bench.log.append(Invalidation(everything=True), strict=True)
        return await ask_backend(*args, **more)  # type: ignore[arg-type]

    bench.backend.exchange = overtaken  # type: ignore[method-assign]
    bench.backend.script = [REFUSED]
    assert (await ask(bench)).head.status == 502


async def test_only_if_cached_is_never_sent_on() -> None:
    bench = Bench()
    answer = await ask(bench, ("Cache-Control", "only-if-cached"))
    assert (answer.head.status, answer.refused, bench.backend.asked) == (504, Refusal.ONLY_IF_CACHED, [])


async def test_head_is_answered_from_what_get_stored() -> None:
    assert (await ask(await filled(FRESH), method="HEAD")).use is CacheResult.HIT


async def test_a_body_of_unknown_length_passes_while_it_is_stored() -> None:
    bench = Bench()
    bench.backend.script = [ScriptedResponse(FRESH, body=(b"a", b"b"))]
    answer = await ask(bench)
    assert isinstance(answer.body, StreamBody)
    assert b"".join([piece async for piece in answer.body.chunks]) == b"ab"
    await bench.settled()
    assert (await ask(bench)).use is CacheResult.HIT


async def test_a_route_that_does_not_cache_asks_each_time() -> None:
    bench = Bench("{name: r, match: {path: /x}, cache: {enabled: false}}")
    bench.backend.script = [says(FRESH), says(FRESH)]
    answers = [await ask(bench), await ask(bench)]
    assert [answer.use for answer in answers] == [CacheResult.BYPASS] * 2
    assert bench.stored() == []


async def test_the_key_is_shown_where_the_route_says_so() -> None:
    bench = Bench("{name: r, match: {path: /x}, cache: {key: {show: true}}}")
    bench.backend.script = [says(FRESH)]
    shown = [(await ask(bench)).cache.key, (await ask(bench)).cache.key]
    assert shown[0] is not None
    assert shown[0] == shown[1]
