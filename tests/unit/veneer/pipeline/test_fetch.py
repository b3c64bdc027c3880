"""Flights: who leads, who shares what came, who fetches alone, and what each outcome leaves in the store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from tests.support.pipeline import FRESH, REFUSED, RESET, Bench, ScriptedClient, ScriptedResponse, says
from veneer.core.entry import Entry
from veneer.core.fields import Pair
from veneer.core.invalidation import Invalidation, Validity
from veneer.core.key import cache_key
from veneer.core.outcome import Reason
from veneer.core.reuse import decide
from veneer.pipeline.coalesce import Complete, FetchOutcome, OriginError, Streaming, Uncacheable, Unreachable
from veneer.pipeline.context import Exchange, cache_request
from veneer.pipeline.exchange import CacheResult
from veneer.pipeline.fetch import READ_WHOLE_BYTES, Fetcher
from veneer.pipeline.plan import CacheLookup, Plan, plan_of
from veneer.pipeline.read import CacheHandler
from veneer.ports import ClientGoneError, FetchLock, LeaseState, LockAttempt, LockReleased, UpstreamFailure
from veneer.stores.fetch_locks import FreeLock

TAG: Pair = ("ETag", '"one"')
LONG = b"x" * (READ_WHOLE_BYTES + 1)


async def plan_for(bench: Bench, exchange: Exchange) -> Plan:
    """The plan that the reader would make of what is stored now."""
    wanted, rules = cache_request(exchange), exchange.match.route.cache
    key = cache_key(wanted, rules)
    stored = [(entry, Validity.VALID) for entry in await bench.store.lookup(key, wanted, rules)]
    return plan_of(exchange, CacheLookup(wanted, key), decide(wanted, stored, rules, bench.clock.now()), "veneer")


async def fetched(bench: Bench, *fields: Pair, method: str = "GET") -> tuple[FetchOutcome, bool]:
    exchange = bench.exchange(*fields, method=method)
    return await Fetcher(bench.services).fetch(await plan_for(bench, exchange), exchange.client)


async def both(bench: Bench, *askers: Sequence[Pair]) -> list[tuple[FetchOutcome, bool]]:
    """Several ask at the same time; the backend answers when all of them wait."""
    fetcher = Fetcher(bench.services)
    bench.backend.opened.clear()
    exchanges = [bench.exchange(*fields) for fields in askers]
    plans = [await plan_for(bench, exchange) for exchange in exchanges]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(fetcher.fetch(plan, e.client)) for plan, e in zip(plans, exchanges, strict=True)]
        await bench.backend.reached.wait()
        bench.backend.opened.set()
    return [task.result() for task in tasks]


async def test_a_storable_response_is_whole_and_stored() -> None:
    bench = Bench()
    bench.backend.script = [says(FRESH)]
    outcome, collapsed = await fetched(bench)
    assert isinstance(outcome, Complete)
    assert (outcome.stored, outcome.may_share, outcome.validated, collapsed) == (True, True, False, False)
    assert bench.stored() == [outcome.entry]
    assert len(bench.services.flights) == 0


async def test_those_who_ask_meanwhile_share_one_fetch() -> None:
    bench = Bench()
    bench.backend.script = [says(FRESH)]
    outcomes = await both(bench, [], [], [])
    assert [collapsed for _, collapsed in outcomes] == [False, True, True]
    assert len(bench.backend.asked) == 1


async def test_of_all_who_have_waited_too_long_one_asks_again() -> None:
    bench = Bench("{name: r, match: {path: /x}, coalesce_wait: 10ms}")
    bench.backend.script = [says(FRESH) for _ in range(5)]
    bench.backend.opened.clear()
    fetcher, exchanges = Fetcher(bench.services), [bench.exchange() for _ in range(5)]
    plans = [await plan_for(bench, exchange) for exchange in exchanges]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(fetcher.fetch(plan, e.client)) for plan, e in zip(plans, exchanges, strict=True)]
        for _ in range(2):
            await bench.backend.reached.wait()
            bench.backend.reached.clear()
        for _ in range(10):  # all of them have waited as long by now
            await asyncio.sleep(0)
        bench.backend.opened.set()
    assert len(bench.backend.asked) == 2
    assert sorted(collapsed for _, collapsed in [task.result() for task in tasks]) == [False, False, True, True, True]
    assert len(bench.services.flights) == 0


async def test_who_has_waited_too_long_is_shown_what_is_stale() -> None:
    bench = Bench("{name: r, match: {path: /x}, coalesce_wait: 10ms}")
    bench.backend.script = [says(("Cache-Control", "max-age=60, stale-if-error=600")), says(FRESH)]
    await fetched(bench)
    bench.clock.advance(70)
    bench.backend.opened.clear()
    reader, exchanges = CacheHandler(bench.services, Fetcher(bench.services)), [bench.exchange() for _ in range(3)]
    async with asyncio.TaskGroup() as group:
        leading, *following = [group.create_task(reader.answer(exchange)) for exchange in exchanges]
        await asyncio.wait(following)
        bench.backend.opened.set()
    assert [task.result().use for task in following] == [CacheResult.STALE] * 2
    assert (leading.result().use, len(bench.backend.asked)) == (CacheResult.MISS, 2)


async def landed(bench: Bench) -> None:
    """Wait until what is under way in the background has ended."""
    async with asyncio.timeout(10):
        while len(bench.services.flights) or len(bench.services.tasks):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)


async def test_nobody_waits_for_a_refresh_that_takes_too_long_where_the_policy_says_after_what_time() -> None:
    bench = Bench("{name: r, match: {path: /x}, stale_if_error_after: 10ms}")
    stale = ("Cache-Control", "max-age=60, stale-if-error=600")
    bench.backend.script = [says(stale), says(FRESH)]
    await fetched(bench)
    bench.clock.advance(70)
    bench.backend.opened.clear()
    reader = CacheHandler(bench.services, Fetcher(bench.services))
    assert (await reader.answer(bench.exchange())).use is CacheResult.STALE
    bench.clock.advance(1)
    assert [(await reader.answer(bench.exchange())).use for _ in range(3)] == [CacheResult.STALE] * 3
    assert len(bench.backend.asked) == 2
    bench.backend.opened.set()
    await landed(bench)
    assert (await reader.answer(bench.exchange())).use is CacheResult.HIT
    assert len(bench.backend.asked) == 2


@pytest.mark.parametrize(
    ("said", "later_s"),
    [("max-age=60", 70), ("max-age=60, must-revalidate, stale-if-error=600", 70), ("max-age=60, stale-if-error=5", 80)],
    ids=["no window", "forbidden", "window over"],
)
async def test_what_may_not_stand_in_is_not_shown_however_long_the_refresh_takes(said: str, later_s: float) -> None:
    bench = Bench("{name: r, match: {path: /x}, stale_if_error_after: 1ms}")
    bench.backend.script = [says(("Cache-Control", said)), says(FRESH)]
    await fetched(bench)
    bench.clock.advance(later_s)
    bench.backend.opened.clear()
    reader = CacheHandler(bench.services, Fetcher(bench.services))
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(reader.answer(bench.exchange()))
        await asyncio.sleep(0.02)
        bench.backend.opened.set()
    assert asking.result().use is CacheResult.MISS


async def test_what_is_fresh_is_not_shown_to_who_wants_it_validated_however_long_that_takes() -> None:
    bench = Bench("{name: r, match: {path: /x}, stale_if_error_after: 1ms, cache: {obey_request_no_cache: true}}")
    bench.backend.script = [says(("Cache-Control", "max-age=60, stale-if-error=600")), says(FRESH)]
    await fetched(bench)
    bench.clock.advance(30)
    bench.backend.opened.clear()
    reader = CacheHandler(bench.services, Fetcher(bench.services))
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(reader.answer(bench.exchange(("Cache-Control", "max-age=5"))))
        await asyncio.sleep(0.02)
        bench.backend.opened.set()
    assert (asking.result().use, len(bench.backend.asked)) == (CacheResult.MISS, 2)


async def test_a_response_for_one_alone_that_comes_too_late_for_him_is_closed() -> None:
    bench = Bench("{name: r, match: {path: /x}, stale_if_error_after: 10ms}")
    private = says(("Cache-Control", "private"))
    bench.backend.script = [says(("Cache-Control", "max-age=60, stale-if-error=600")), private]
    await fetched(bench)
    bench.clock.advance(70)
    bench.backend.opened.clear()
    reader = CacheHandler(bench.services, Fetcher(bench.services))
    assert (await reader.answer(bench.exchange())).use is CacheResult.STALE
    bench.backend.opened.set()
    await landed(bench)
    assert private.closed


async def test_what_is_for_one_alone_makes_the_others_ask_for_themselves_and_the_next_not_wait() -> None:
    bench = Bench()
    bench.backend.script = [says(("Cache-Control", "private")) for _ in range(3)]
    outcomes = await both(bench, [], [])
    assert [type(outcome) for outcome, _ in outcomes] == [Uncacheable, Uncacheable]
    assert [collapsed for _, collapsed in outcomes] == [False, False]
    outcome, _ = await fetched(bench)
    assert isinstance(outcome, Uncacheable)
    assert outcome.reason is Reason.PRIVATE
    assert len(bench.services.flights) == 0


async def test_another_variant_is_asked_for_by_the_one_who_waited_in_vain() -> None:
    bench = Bench()
    varies = ("Vary", "Foo")
    bench.backend.script = [says(FRESH, varies, body=b"1"), says(FRESH, varies, body=b"2")]
    outcomes = await both(bench, [("Foo", "1")], [("Foo", "2")])
    bodies = [outcome.entry.body for outcome, _ in outcomes if isinstance(outcome, Complete)]
    assert bodies == [b"1", b"2"]
    assert len(bench.stored()) == 2


async def test_a_failure_is_everybodys() -> None:
    bench = Bench()
    bench.backend.script = [REFUSED]
    outcomes = await both(bench, [], [])
    assert [type(outcome) for outcome, _ in outcomes] == [Unreachable, Unreachable]
    assert len(bench.backend.asked) == 1


async def test_what_an_invalidation_overtook_is_not_shared() -> None:
    bench = Bench()
    bench.backend.script = [says(FRESH, body=b"old"), says(FRESH, body=b"new")]
    bench.backend.opened.clear()
    fetcher, exchange = Fetcher(bench.services), bench.exchange()
    plan = await plan_for(bench, exchange)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(fetcher.fetch(plan, exchange.client))
        await bench.backend.reached.wait()
        await bench.log.append(Invalidation(everything=True), strict=True)
        second = group.create_task(fetcher.fetch(plan, exchange.client))
        await asyncio.sleep(0)
        bench.backend.opened.set()
    old, new = first.result()[0], second.result()[0]
    assert isinstance(old, Complete)
    assert isinstance(new, Complete)
    assert (old.entry.body, new.entry.body) == (b"old", b"new")


async def test_a_long_body_streams_and_is_stored_when_it_is_whole() -> None:
    bench = Bench()
    bench.backend.script = [ScriptedResponse(FRESH, body=(b"a", b"b"))]
    outcome, _ = await fetched(bench)
    assert isinstance(outcome, Streaming)
    assert b"".join([piece async for piece in outcome.place]) == b"ab"
    await bench.settled()
    assert [entry.body for entry in bench.stored()] == [b"ab"]
    assert len(bench.services.flights) == 0


async def test_a_body_that_breaks_off_is_not_stored_and_told_to_its_readers() -> None:
    bench = Bench()
    bench.backend.script = [ScriptedResponse(FRESH, body=(b"a", RESET))]
    outcome, _ = await fetched(bench)
    assert isinstance(outcome, Streaming)
    with pytest.raises(type(RESET)):
        [piece async for piece in outcome.place]
    await bench.settled()
    assert bench.stored() == []


async def test_a_client_that_leaves_does_not_end_its_flight() -> None:
    bench = Bench()
    bench.backend.script = [says(FRESH)]
    bench.backend.opened.clear()
    client = ScriptedClient()
    exchange = bench.exchange(client=client)
    plan = await plan_for(bench, exchange)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_raises_gone(Fetcher(bench.services).fetch(plan, client)))
        await bench.backend.reached.wait()
        client.leave()
        bench.backend.opened.set()
    assert task.result()
    assert len(bench.stored()) == 1


async def _raises_gone(fetching: object) -> bool:
    with pytest.raises(ClientGoneError):
        await fetching  # type: ignore[misc]
    return True


async def test_a_304_confirms_what_is_stored() -> None:
    bench = Bench()
    bench.backend.script = [says(FRESH, TAG), ScriptedResponse(FRESH, TAG, ("X-New", "1"), status=304, body=())]
    await fetched(bench)
    bench.clock.advance(61)
    outcome, _ = await fetched(bench)
    assert isinstance(outcome, Complete)
    assert outcome.validated
    assert bench.backend.asked[1].fields.get("if-none-match") == '"one"'
    (entry,) = bench.stored()
    assert (entry.body, entry.fields.get("x-new")) == (b"hello", "1")


async def test_a_304_that_confirms_nothing_of_ours_is_asked_again_without_condition() -> None:
    bench = Bench()
    other = ScriptedResponse(("ETag", '"other"'), status=304, body=())
    bench.backend.script = [says(FRESH, TAG), other, says(FRESH, body=b"new")]
    await fetched(bench)
    bench.clock.advance(61)
    outcome, _ = await fetched(bench)
    assert isinstance(outcome, Complete)
    assert (outcome.entry.body, outcome.validated) == (b"new", False)
    assert "if-none-match" not in bench.backend.asked[2].fields
    assert other.closed


async def test_a_304_that_nobody_asked_for_is_a_failure() -> None:
    bench = Bench()
    bench.backend.script = [ScriptedResponse(status=304, body=())]
    outcome, _ = await fetched(bench)
    assert isinstance(outcome, Unreachable)
    assert outcome.error.failure is UpstreamFailure.MALFORMED


async def test_an_error_that_the_stored_response_may_stand_in_for() -> None:
    bench = Bench()
    stale = ("Cache-Control", "max-age=60, stale-if-error=600")
    failing = says(status=503)
    bench.backend.script = [says(stale, TAG), failing]
    await fetched(bench)
    bench.clock.advance(61)
    outcome, _ = await fetched(bench)
    assert isinstance(outcome, OriginError)
    assert (outcome.status, failing.closed, len(bench.stored())) == (503, True, 1)


async def test_a_final_answer_ends_what_it_takes_the_place_of() -> None:
    bench = Bench()
    bench.backend.script = [says(FRESH, TAG), says(("Cache-Control", "no-store"), status=404)]
    await fetched(bench)
    bench.clock.advance(61)
    outcome, _ = await fetched(bench)
    assert isinstance(outcome, Uncacheable)
    assert bench.stored() == []


async def test_a_refresh_runs_behind_and_only_once_at_a_time() -> None:
    bench = Bench()
    bench.backend.script = [says(FRESH)]
    fetcher, plan = Fetcher(bench.services), await plan_for(bench, bench.exchange())
    fetcher.refresh(plan)
    fetcher.refresh(plan)
    await bench.settled()
    assert len(bench.backend.asked) == 1
    assert len(bench.stored()) == 1


class Locks:
    """FetchLocks of a node that is not alone; `told` is what each `acquire` says."""

    alone = False

    def __init__(self, *told: FetchLock | LockReleased) -> None:
        self.told, self.again, self.released = list(told), list[bool](), list[bool]()
        self.attempts: list[LockAttempt | None] = []

    def attempt(self, key: str, group: str) -> None:
        return

    async def acquire(
        self, key: str, group: str, wait_s: float, *, again: bool = False, attempt: LockAttempt | None = None
    ) -> FetchLock | LockReleased:
        self.attempts.append(attempt)
        self.again.append(again)
        return self.told.pop(0)

    def release(self, *, stored: bool, varies: Sequence[str] = ()) -> None:
        self.released.append(stored)


def with_locks(bench: Bench, locks: Locks) -> Bench:
    object.__setattr__(bench.services, "locks", locks)
    return bench


async def test_who_gets_the_lock_fetches_and_tells_the_others() -> None:
    locks = Locks()
    locks.told = [locks]
    bench = with_locks(Bench(), locks)
    bench.backend.script = [says(FRESH)]
    outcome, _ = await fetched(bench)
    await bench.settled()
    assert isinstance(outcome, Complete)
    assert locks.released == [True]


async def test_what_brought_nothing_to_share_releases_with_that() -> None:
    locks = Locks()
    locks.told = [locks]
    bench = with_locks(Bench(), locks)
    bench.backend.script = [REFUSED]
    await fetched(bench)
    await bench.settled()
    assert locks.released == [False]


async def test_what_another_node_has_stored_is_taken() -> None:
    bench = Bench()
    bench.backend.script = [says(FRESH)]
    outcome, _ = await fetched(bench)
    assert isinstance(outcome, Complete)
    kept, plan = outcome.entry, await plan_for(bench, bench.exchange(("Cache-Control", "no-cache")))
    bench.store.clear()
    plan = await plan_for(bench, bench.exchange())
    with_locks(bench, Storing(bench, plan.key, kept))
    again, _ = await Fetcher(bench.services).fetch(plan, ScriptedClient())
    assert isinstance(again, Complete)
    assert again.entry.body == b"hello"
    assert len(bench.backend.asked) == 1


class Storing(Locks):
    """While one waits for the lock another node stores the response."""

    def __init__(self, bench: Bench, key: str, entry: Entry) -> None:
        super().__init__(LockReleased())
        self._bench, self._key, self._entry = bench, key, entry

    async def acquire(
        self, key: str, group: str, wait_s: float, *, again: bool = False, attempt: LockAttempt | None = None
    ) -> FetchLock | LockReleased:
        await self._bench.store.put(self._key, self._entry, 60)
        return await super().acquire(key, group, wait_s, again=again, attempt=attempt)


async def test_without_a_lease_nobody_waits_for_a_lock() -> None:
    locks = Locks()
    bench = with_locks(Bench(), locks)
    bench.log.lease = LeaseState.EXPIRED
    bench.backend.script = [says(FRESH)]
    await fetched(bench)
    assert locks.again == []


SOURCED = "{name: r, match: {path: /x}, cache: {changes: db}}"
SOURCE = 'changes: {db: {postgres: {dsn: "postgresql://db/etter"}, tables: {users: [users]}}}\n'


def sourced(*, late: bool) -> Bench:
    """A bench whose route lives by a source of changes."""
    bench = Bench(SOURCED, sections=SOURCE)
    bench.log.sources["db"] = bench.clock.monotonic() - (3 if late else 1)
    return bench


@pytest.mark.parametrize(("late", "waited"), [(False, 1), (True, 0)])
async def test_while_a_source_is_late_nobody_waits_for_a_lock(*, late: bool, waited: int) -> None:
    locks = Locks(FreeLock())
    bench = with_locks(sourced(late=late), locks)
    bench.backend.script = [says(FRESH)]
    await fetched(bench)
    assert len(locks.again) == waited


@pytest.mark.parametrize(("late", "asked"), [(False, 1), (True, 2)])
async def test_while_a_source_is_late_nobody_gets_what_was_fetched_for_another(*, late: bool, asked: int) -> None:
    bench = sourced(late=late)
    bench.backend.script = [says(FRESH), says(FRESH)]
    await both(bench, [], [])
    assert len(bench.backend.asked) == asked
