"""What the backend is asked for, by what was decided of the stored responses."""

from __future__ import annotations

import pytest

from tests.support.pipeline import FRESH, Bench, says
from veneer.core.entry import Entry
from veneer.core.fields import Pair
from veneer.core.invalidation import Validity
from veneer.core.key import cache_key
from veneer.core.reuse import Miss, PartialMiss, Revalidate, ServeStale, decide
from veneer.pipeline.context import cache_request
from veneer.pipeline.fetch import Fetcher
from veneer.pipeline.plan import CacheLookup, Plan, plan_of
from veneer.pipeline.read import CacheHandler

TAG: Pair = ("ETag", '"one"')


async def planned(
    bench: Bench, *fields: Pair, method: str = "GET", body: bytes | None = None
) -> tuple[Plan, type[object], list[Entry]]:
    exchange = bench.exchange(*fields, method=method)
    wanted, rules = cache_request(exchange), exchange.match.route.cache
    key = cache_key(wanted, rules)
    entries = list(await bench.store.lookup(key, wanted, rules))
    decision = decide(wanted, [(entry, Validity.VALID) for entry in entries], rules, bench.clock.now())
    return plan_of(exchange, CacheLookup(wanted, key, body), decision, "veneer"), type(decision), entries


async def stale_bench(*fields: Pair, status: int = 200, asked: tuple[Pair, ...] = ()) -> Bench:
    bench = Bench()
    bench.backend.script = [says(*fields, status=status)]
    await CacheHandler(bench.services, Fetcher(bench.services)).answer(bench.exchange(*asked))
    bench.clock.advance(61)
    return bench


async def test_a_miss_asks_for_the_whole_uncoded_and_says_through_whom() -> None:
    plan, decision, _ = await planned(Bench(), ("Accept-Encoding", "gzip"))
    assert decision is Miss
    assert "accept-encoding" not in plan.wanted.fields
    assert plan.outgoing.fields.get("via") == "1.1 veneer"
    assert (plan.validating, plan.completing, plan.hides_errors_until, plan.coalesce) == ((), None, 0.0, True)


async def test_what_is_stale_is_validated_and_asked_for_without_condition_otherwise() -> None:
    plan, decision, (entry,) = await planned(await stale_bench(FRESH, TAG))
    assert decision is Revalidate
    assert (plan.validating, plan.selected, plan.alike) == ((entry,), entry, (entry,))
    assert plan.outgoing.fields.get("if-none-match") == '"one"'
    assert "if-none-match" not in plan.unconditional.fields


async def test_errors_are_hidden_where_the_stored_response_may_stand_in() -> None:
    bench = await stale_bench(("Cache-Control", "max-age=60, stale-if-error=60"), TAG)
    assert (await planned(bench))[0].hides_errors_until > bench.clock.now()


async def test_stale_while_revalidate_validates_behind() -> None:
    bench = await stale_bench(("Cache-Control", "max-age=60, stale-while-revalidate=60"), TAG)
    plan, decision, (entry,) = await planned(bench)
    assert decision is ServeStale
    assert plan.validating == (entry,)


async def test_the_beginning_of_a_response_is_completed() -> None:
    span = ("Content-Range", "bytes 0-4/10")
    bench = await stale_bench(("Cache-Control", "max-age=600"), TAG, span, status=206, asked=(("Range", "bytes=0-4"),))
    plan, decision, (entry,) = await planned(bench)
    assert decision is PartialMiss
    assert plan.completing is entry
    assert plan.outgoing.fields.get("range") == "bytes=5-"
    assert "range" not in plan.unconditional.fields


@pytest.mark.parametrize(
    ("method", "fields", "coalesces"),
    [
        ("GET", [], True),
        ("QUERY", [], True),
        ("HEAD", [], False),
        ("GET", [("Range", "bytes=0-1")], False),
        ("GET", [("Cache-Control", "no-cache")], False),
    ],
)
async def test_who_may_share_a_fetch(method: str, fields: list[Pair], coalesces: bool) -> None:
    assert (await planned(Bench(), *fields, method=method))[0].coalesce is coalesces


async def test_a_route_may_keep_fetches_apart() -> None:
    assert not (await planned(Bench("{name: r, match: {path: /x}, coalesce: false}")))[0].coalesce
