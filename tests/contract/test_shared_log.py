"""Several nodes on one real Redis: who may answer, what a receipt proves, what every fault leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.relay import relay
from devstack.redis import RedisServer
from tests.support.entries import stored
from tests.support.shared_log import LEASE_S, LINK, LOG, Node, node, until
from veneer.core.invalidation import Invalidation, InvalidationMode, Validity
from veneer.ports import LeaseState, Receipt
from veneer.stores.flushes import FlushReason

X = Invalidation(tags=("x",))
NewRedis = Callable[..., RedisServer]


def _flushes(one: Node) -> dict[FlushReason, int]:
    return {reason: count for reason, count in one.log.flushes.counts.items() if count}


async def _settled(*nodes: Node) -> None:
    """Wait until the nodes lead and the leases of an epoch before theirs have run out."""
    for one in nodes:
        await one.leads()
    while "" in (await nodes[0].log.append(Invalidation(tags=("settling",)), strict=True)).expired:
        pass
    await until(lambda: len({one.log.position for one in nodes}) == 1)


async def test_when_a_strict_append_returns_every_other_node_has_applied_it(redis_url: str) -> None:
    async with node("a", redis_url) as a, node("b", redis_url) as b, node("c", redis_url) as c:
        await _settled(a, b, c)
        for _ in range(20):
            held = {one: stored(one.log.position, "x") for one in (a, b, c)}
            assert all(one.log.validity(entry) is Validity.VALID for one, entry in held.items())
            receipt = await a.log.append(X, strict=True)
            assert all(one.log.validity(entry) is Validity.DEAD for one, entry in held.items())
            assert (receipt.acknowledged, receipt.expired, receipt.shared) == (("b", "c"), (), True)


async def test_what_is_published_is_applied_and_acknowledged_without_the_long_read(
    redis_server: RedisServer, redis_url: str
) -> None:
    patient = replace(LINK, lease_s=3.0, timeout_s=2.0)
    async with relay(redis_server.port) as between:
        between.delay_s = 0.02
        async with node("a", between.url, patient) as a, node("b", between.url, patient) as b:
            await _settled(a, b)
            with redis_server.client() as client:
                await until(lambda: client.pubsub_numsub("{veneer}:log")[0][1] == 2)
                await until(lambda: all(client.pubsub_numsub(f"{{veneer}}:in:{name}")[0][1] for name in "ab"))
            # Neither reads, and neither renews: what is published is all that they hear.
            for one in (a, b):
                for loop in one.log._loops[:2]:
                    loop.cancel()
                await asyncio.wait(one.log._loops[:2])
            held = stored(b.log.position, "x")
            receipts = await asyncio.gather(*(a.log.append(X, strict=True) for _ in range(3)))
            assert b.log.validity(held) is Validity.DEAD
            assert [(receipt.acknowledged, receipt.expired) for receipt in receipts] == [(("b",), ())] * 3
            # One that was lost leaves all that follow to the long read.
            b.log._applied -= 1
            before = b.log.position
            waiting = [a.tasks.start(a.log.append(X, strict=True), "nobody tells b") for _ in range(2)]
            await until(lambda: a.log.position.seq >= before.seq + 3)
            await asyncio.sleep(0.1)
            assert b.log.position == before
            assert not any(one.done() for one in waiting)


async def test_where_memory_is_full_acknowledgements_are_heard_as_they_are_published(
    redis_server: RedisServer, redis_url: str
) -> None:
    async with node("a", redis_url) as a, node("b", redis_url) as b:
        await _settled(a, b)
        with redis_server.client() as client:
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", "1")
            try:
                await a.log.append(X, strict=True)  # which misses it, as the inbox takes nothing, if nobody listens yet
                await until(lambda: client.pubsub_numsub("{veneer}:in:a")[0][1] == 1)
                for _ in range(3):
                    receipt = await a.log.append(X, strict=True)
                    assert (receipt.acknowledged, receipt.expired) == (("b",), ())
            finally:
                client.config_set("maxmemory", "0")


async def test_nodes_agree_on_the_order_of_concurrent_appends(redis_url: str) -> None:
    async with node("a", redis_url) as a, node("b", redis_url) as b:
        await _settled(a, b)
        appends = [one.log.append(Invalidation(tags=(f"t{n}",)), strict=True) for n in range(50) for one in (a, b)]
        receipts = await asyncio.gather(*appends)
        places = [receipt.position.seq for receipt in receipts]
        assert len(set(places)) == 100
        assert max(places) - min(places) == 99
        assert a.log.position == b.log.position == max(receipt.position for receipt in receipts)


async def test_a_frozen_node_holds_a_writer_no_longer_than_its_lease_and_answers_nothing_after(redis_url: str) -> None:
    async with node("a", redis_url) as a, node("b", redis_url) as b:
        await _settled(a, b)
        await b.freeze()
        receipt = await a.log.append(X, strict=True)
        assert b.log.lease_state() is LeaseState.EXPIRED
        assert (receipt.acknowledged, receipt.expired) == ((), ("b",))
        assert receipt.duration_ms < (LEASE_S + 0.5) * 1000


async def test_how_long_writers_wait_is_counted_and_of_those_that_do_not_it_is_not(redis_url: str) -> None:
    async with node("a", redis_url) as a, node("b", redis_url) as b:
        await _settled(a, b)
        before = sum(a.log.counts.waits.counts)
        receipt = await a.log.append(X, strict=True)
        await a.log.append(X, strict=False)
        await until(lambda: b.log.position.seq > receipt.position.seq)
        assert sum(a.log.counts.waits.counts) == before + 1
        assert a.log.counts.waits.sum_ms >= receipt.duration_ms


async def test_without_strictness_nobody_is_waited_for(redis_url: str) -> None:
    async with node("a", redis_url) as a, node("b", redis_url) as b:
        await _settled(a, b)
        entry = stored(b.log.position, "x")
        receipt = await a.log.append(X, strict=False)
        assert (receipt.acknowledged, receipt.expired, receipt.shared) == ((), (), False)
        await until(lambda: b.log.validity(entry) is Validity.DEAD)


async def test_without_strictness_redis_is_not_waited_for_either_however_long_it_hangs(
    redis_server: RedisServer, redis_url: str
) -> None:
    async with relay(redis_server.port) as between, node("a", between.url) as a, node("b", redis_url) as b:
        await _settled(a, b)
        here, there = stored(a.log.position, "x"), stored(b.log.position, "x")
        between.hold()
        told: list[Receipt] = []
        a.log.append_soon(X, told.append, strict=False)
        assert [receipt.shared for receipt in told] == [False], "in the same iteration of the loop"
        assert a.log.validity(here) is Validity.DEAD
        for number in range(2 * LOG.most_queued):
            a.log.append_soon(Invalidation(tags=(f"t{number}",)), told.append, strict=False)
        assert len(told) == 2 * LOG.most_queued + 1
        assert a.log._outbox._names <= LOG.most_queued, "beyond that there is one event, everything"
        between.mend()
        await until(lambda: b.log.validity(there) is Validity.DEAD)
        await until(lambda: a.log.position == b.log.position)


async def test_a_node_that_vanishes_kills_what_was_stored_and_once_more_when_its_writes_are_over(
    redis_url: str,
) -> None:
    async with node("a", redis_url) as a, node("b", redis_url) as b:
        await _settled(a, b)
        assert await b.log.begin_write(0.5, strict=True)
        first = stored(a.log.position, "y")
        await b.freeze()
        await until(lambda: a.log.validity(first) is Validity.DEAD)
        second = stored(a.log.position, "y")
        assert a.log.validity(second) is Validity.VALID
        await until(lambda: a.log.validity(second) is Validity.DEAD)
        third = stored(a.log.position, "y")
        await asyncio.sleep(2 * LEASE_S)
        assert a.log.validity(third) is Validity.VALID
        assert _flushes(a) == {FlushReason.LOST_NODE: 2}, "then, and once more when the write must be over"


async def test_each_flush_has_its_reason_and_a_lease_that_ran_out_is_none(
    redis_server: RedisServer, redis_url: str
) -> None:
    async with relay(redis_server.port) as between, node("a", redis_url) as a, node("b", between.url) as b:
        await _settled(a, b)
        held = stored(b.log.position, "y")
        between.cut()
        await b.lost()
        between.mend()
        await b.leads()
        assert (b.log.validity(held), _flushes(b)) == (Validity.VALID, {})
        await a.log.append(Invalidation(everything=True), strict=True)
        assert [_flushes(one) for one in (a, b)] == [{FlushReason.EVENT: 1}] * 2
        redis_server.flush()
        await until(lambda: all(FlushReason.EPOCH in _flushes(one) for one in (a, b)))
        assert [_flushes(one)[FlushReason.EPOCH] for one in (a, b)] == [1, 1]


async def test_a_node_that_vanishes_without_a_write_under_way_costs_the_others_nothing_but_a_line(
    redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with node("a", redis_url) as a, node("b", redis_url) as b:
        await _settled(a, b)
        entry = stored(a.log.position, "y")
        await b.freeze()
        await until(lambda: a.log.counts.nodes_lost == 1)
        await a.log.append(X, strict=True)
        assert a.log.validity(entry) is Validity.VALID
        assert "node b is gone without a good-bye; it had no write under way" in caplog.text


async def test_a_write_is_under_way_until_its_event_is_shared(redis_server: RedisServer, redis_url: str) -> None:
    brief = replace(LOG, hold_s=0.1)
    async with relay(redis_server.port) as between, node("a", redis_url) as a, node("b", between.url, log=brief) as b:
        await _settled(a, b)
        assert await b.log.begin_write(0.5, strict=True)
        between.cut()
        await b.lost()
        assert not (await b.log.append(X, strict=True)).shared
        b.log.end_write()
        entry = stored(a.log.position, "y")
        await until(lambda: a.log.validity(entry) is Validity.DEAD)
        assert b.log._writes.report(queued=True).settles_s == 0.5
        between.mend()
        await b.leads()


async def test_a_renewal_that_comes_late_does_not_hide_a_write(redis_url: str) -> None:
    async with node("a", redis_url) as a, node("b", redis_url) as b:
        await _settled(a, b)
        earlier = b.log._writes.report(queued=False)
        assert await b.log.begin_write(0.5, strict=True)
        entry = stored(a.log.position, "y")
        await b.freeze()
        await b.link.renew(b.log.epoch, 0, earlier)
        await until(lambda: a.log.validity(entry) is Validity.DEAD)


async def test_a_write_is_not_sent_once_redis_has_failed_though_the_lease_lasts(
    redis_server: RedisServer, redis_url: str
) -> None:
    brief, long = replace(LOG, hold_s=0.1), replace(LINK, lease_s=60)
    async with relay(redis_server.port) as between, node("b", between.url, long, brief) as b:
        await b.leads()
        assert await b.log.begin_write(0.5, strict=True)
        b.log.end_write()
        between.cut()
        assert not (await b.log.append(X, strict=True)).shared
        assert b.log.lease_state() is LeaseState.HELD
        assert not b.log.may_write_now(0.5, strict=True)
        assert not await b.log.begin_write(0.5, strict=True)
        between.mend()
        await until(lambda: b.log.may_write_now(0.5, strict=True))


async def test_a_write_that_may_not_begin_leaves_nothing_open(redis_server: RedisServer, redis_url: str) -> None:
    brief = replace(LOG, hold_s=0.1)
    async with relay(redis_server.port) as between, node("b", between.url, log=brief) as b:
        await b.leads()
        between.cut()
        await b.lost()
        assert not await b.log.begin_write(0.5, strict=True)
        waiting = b.tasks.start(b.log.begin_write(0.5, strict=True), "cancelled while it waits")
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert await b.log.begin_write(0.5, strict=False)
        b.log.end_write()
        assert b.log._writes._open == 0
        between.mend()


async def test_a_good_bye_costs_the_others_nothing(redis_url: str) -> None:
    async with node("a", redis_url) as a:
        async with node("b", redis_url) as b:
            await _settled(a, b)
        entry = stored(a.log.position, "y")
        receipt = await a.log.append(X, strict=True)
        assert (receipt.acknowledged, receipt.expired) == ((), ())
        await asyncio.sleep(1.5 * LEASE_S)
        assert a.log.validity(entry) is Validity.VALID


async def test_a_newcomer_knows_the_events_before_it(redis_url: str) -> None:
    async with node("a", redis_url) as a:
        await _settled(a)
        old = a.log.position
        await a.log.append(X, strict=True)
        await a.log.append(Invalidation(tags=("z",), strength=InvalidationMode.SOFT), strict=True)
        async with node("b", redis_url) as b:
            await b.leads()
            verdicts = [b.log.validity(stored(old, tag)) for tag in ("x", "y", "z")]
            assert verdicts == [Validity.DEAD, Validity.VALID, Validity.SOFT]


async def test_to_a_newcomer_that_reads_only_the_last_events_what_is_older_is_dead(redis_url: str) -> None:
    async with node("a", redis_url) as a:
        await _settled(a)
        positions = [(await a.log.append(Invalidation(tags=(f"t{n}",)), strict=True)).position for n in range(8)]
        async with node("b", redis_url, replace(LINK, replay=3)) as b:
            await b.leads()
            verdicts = [b.log.validity(stored(position, "y")) for position in positions]
            assert verdicts == [Validity.DEAD] * 4 + [Validity.VALID] * 4


async def test_a_cut_node_stops_answering_then_replays_what_it_missed(
    redis_server: RedisServer, redis_url: str
) -> None:
    async with relay(redis_server.port) as between, node("a", redis_url) as a, node("b", between.url) as b:
        await _settled(a, b)
        entry, other = stored(b.log.position, "x"), stored(b.log.position, "y")
        between.cut()
        receipt = await a.log.append(X, strict=True)
        assert receipt.expired == ("b",)
        assert b.log.lease_state() is LeaseState.EXPIRED
        assert not await replace_hold(b, 0.1)
        between.mend()
        await b.leads()
        assert b.log.validity(entry) is Validity.DEAD
        assert b.log.validity(other) is Validity.VALID, "b had vanished, but no write of it was under way"
        assert b.log.validity(stored(b.log.position, "x")) is Validity.VALID


async def replace_hold(one: Node, hold_s: float) -> bool:
    """Whether the node gets ready within a shorter time than its own."""
    one.log._settings = replace(one.log._settings, hold_s=hold_s)
    ready = await one.log.begin_write(1.0, strict=True)
    one.log._settings = LOG
    return ready


@pytest.mark.parametrize("fault", ["cut", "hold"])
async def test_a_write_through_a_cut_node_waits_and_is_shared_before_that_node_leads_again(
    redis_server: RedisServer, redis_url: str, fault: str
) -> None:
    async with relay(redis_server.port) as between, node("a", redis_url) as a, node("b", between.url) as b:
        await _settled(a, b)
        between.cut() if fault == "cut" else between.hold()
        writing = b.tasks.start(b.log.append(X, strict=True), "a write")
        await b.lost()
        entry = stored(a.log.position, "x")
        assert not writing.done()
        between.mend()
        receipt = await writing
        assert receipt.shared
        assert a.log.validity(entry) is Validity.DEAD
        await b.leads()
        assert b.log.validity(entry) is Validity.DEAD


async def test_a_receipt_after_the_longest_wait_says_that_nobody_else_knows_and_the_event_is_shared_later(
    redis_server: RedisServer, redis_url: str
) -> None:
    brief = replace(LOG, hold_s=0.2)
    async with relay(redis_server.port) as between, node("a", redis_url) as a, node("b", between.url, log=brief) as b:
        await _settled(a, b)
        between.cut()
        await b.lost()
        entry = stored(b.log.position, "x")
        receipt: Receipt = await b.log.append(X, strict=True)
        assert not receipt.shared
        assert b.log.validity(entry) is Validity.DEAD
        await asyncio.sleep(2.5 * LEASE_S)  # b has vanished, and is feared no more
        entry = stored(a.log.position, "x")
        between.mend()
        await b.leads()
        await until(lambda: a.log.validity(entry) is Validity.DEAD)


async def test_more_events_than_can_be_kept_become_everything(redis_server: RedisServer, redis_url: str) -> None:
    brief = replace(LOG, most_queued=3)
    async with relay(redis_server.port) as between, node("a", redis_url) as a, node("b", between.url, log=brief) as b:
        await _settled(a, b)
        between.cut()
        await b.lost()
        for n in range(10):
            await b.log.append(Invalidation(tags=(f"t{n}",)), strict=True)
        await asyncio.sleep(2.5 * LEASE_S)
        entry = stored(a.log.position, "unnamed")
        between.mend()
        await b.leads()
        await until(lambda: a.log.validity(entry) is Validity.DEAD)


async def test_a_writer_cancelled_while_it_waits_for_redis_still_shares_its_event(
    redis_server: RedisServer, redis_url: str
) -> None:
    async with relay(redis_server.port) as between, node("a", redis_url) as a, node("b", between.url) as b:
        await _settled(a, b)
        entry = stored(a.log.position, "x")
        between.hold()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await b.log.append(X, strict=True)
        between.mend()
        await until(lambda: a.log.validity(entry) is Validity.DEAD)


@pytest.mark.parametrize("persist", [True, False])
async def test_a_restarted_redis_begins_an_epoch_and_old_leases_are_waited_out(
    new_redis: NewRedis, persist: bool
) -> None:
    server = new_redis(persist=persist)
    async with node("a", server.url) as a, node("b", server.url) as b:
        await _settled(a, b)
        entry, before = stored(a.log.position, "y"), a.log.position
        await b.freeze()
        server.kill()
        await asyncio.to_thread(server.restart)
        receipt = await a.log.append(X, strict=True)
        assert b.log.lease_state() is LeaseState.EXPIRED, (
            "a lease of the epoch before was in force when the answer left"
        )
        assert receipt.position.epoch != before.epoch
        assert receipt.expired
        await a.leads()
        assert a.log.position.epoch == receipt.position.epoch
        assert a.log.validity(entry) is Validity.DEAD


@pytest.mark.parametrize("lost", ["FLUSHALL", "DEL {veneer}:log", "DEL {veneer}:state"])
async def test_a_lost_key_begins_an_epoch(redis_server: RedisServer, redis_url: str, lost: str) -> None:
    async with node("a", redis_url) as a, node("b", redis_url) as b:
        await _settled(a, b)
        entry = stored(a.log.position, "y")
        epoch = a.log.position.epoch
        with redis_server.client() as client:
            client.execute_command(*lost.split())
        await until(lambda: a.log.position.epoch == b.log.position.epoch != epoch)
        await a.leads()
        await b.leads()
        assert a.log.validity(entry) is b.log.validity(entry) is Validity.DEAD
        entry = stored(b.log.position, "x")
        await a.log.append(X, strict=True)
        assert b.log.validity(entry) is Validity.DEAD


async def test_after_a_trimmed_log_what_was_stored_before_is_dead(redis_server: RedisServer, redis_url: str) -> None:
    few = replace(LINK, events_kept=1, lease_s=5.0)
    async with relay(redis_server.port) as between, node("a", redis_url, few) as a, node("b", between.url, few) as b:
        await b.leads()
        entry = stored(b.log.position, "unnamed")
        between.hold()
        for n in range(300):
            await a.log.append(Invalidation(tags=(f"t{n}",)), strict=True)
        between.mend()
        await until(lambda: b.log.counts.gaps > 0)
        await b.leads()
        assert b.log.validity(entry) is Validity.DEAD
        assert b.log.validity(stored(b.log.position, "unnamed")) is Validity.VALID


async def test_a_slow_way_to_redis_makes_writers_wait_and_nothing_else(
    redis_server: RedisServer, redis_url: str
) -> None:
    async with relay(redis_server.port) as between, node("a", redis_url) as a, node("b", between.url) as b:
        await _settled(a, b)
        between.delay_s = 0.1
        for _ in range(5):
            entry = stored(a.log.position, "x")
            receipt = await a.log.append(X, strict=True)
            assert b.log.lease_state() is LeaseState.EXPIRED or b.log.validity(entry) is Validity.DEAD
            assert receipt.shared


async def test_a_node_without_redis_from_the_start_joins_when_it_comes(
    redis_server: RedisServer, redis_url: str
) -> None:
    async with relay(redis_server.port) as between:
        between.cut()
        async with node("a", between.url) as a:
            assert a.log.lease_state() is LeaseState.EXPIRED
            assert a.log.validity(stored(a.log.position, "x")) is Validity.DEAD
            between.mend()
            await a.leads()
            assert await a.log.begin_write(1.0, strict=True)


async def test_a_replaced_key_is_told_to_the_others_only(redis_url: str) -> None:
    async with node("a", redis_url) as a, node("b", redis_url) as b:
        await _settled(a, b)
        before = b.log.position
        a.log.announce("some key")
        await until(lambda: b.replaced == ["some key"])
        assert a.replaced == []
        assert b.log.position == before


async def test_each_node_knows_how_many_there_are(redis_url: str) -> None:
    async with node("a", redis_url) as one:
        await until(lambda: one.log.nodes == 1)
        async with node("b", redis_url) as other:
            await until(lambda: one.log.nodes == other.log.nodes == 2)
        await until(lambda: one.log.nodes == 1)
        async with node("c", redis_url) as frozen:
            await until(lambda: one.log.nodes == 2)
            await frozen.freeze()
            await until(lambda: one.log.nodes == 1)


async def test_the_log_is_bounded_in_bytes_too_and_a_newcomer_reads_what_is_left(
    redis_server: RedisServer, redis_url: str
) -> None:
    small = replace(LINK, bytes_kept=400_000)
    async with node("a", redis_url, small) as a:
        await a.leads()
        for number in range(60):
            await a.log.append(Invalidation(tags=tuple(f"{number}-{tag:050}" for tag in range(400))), strict=True)
        with redis_server.client() as client:
            size = client.memory_usage("{veneer}:log")
        assert isinstance(size, int)
        assert 200_000 < size < 700_000
        async with node("b", redis_url, small) as b:
            await b.leads()
            assert b.log.position == a.log.position


async def test_a_newcomer_reads_no_more_than_a_reply_may_hold(redis_url: str) -> None:
    unhurried = replace(LINK, lease_s=10.0)  # a lease that ran out meanwhile would add an event
    async with node("a", redis_url, unhurried) as a:
        await a.leads()
        wide = Invalidation(tags=tuple(f"{tag:050}" for tag in range(4_000)))
        for _ in range(60):
            await a.log.append(wide, strict=True)
        async with node("b", redis_url, unhurried) as b:
            await b.leads()
            assert b.log.position == a.log.position
            assert 20 <= b.log.counts.applied < 60


async def test_what_one_node_holds_is_dead_at_every_node_until_any_of_them_repeats_the_event(redis_url: str) -> None:
    async with node("a", redis_url) as a:
        async with node("b", redis_url) as b:
            await _settled(a, b)
            opened = (await b.log.append(X, strict=True, settles_s=1.0)).position
            entry = stored(opened, "x")
            assert a.log.validity(entry) is b.log.validity(entry) is Validity.DEAD
        assert a.log.validity(entry) is Validity.DEAD, "the node that held it has stopped, and has handed it over"
        await until(lambda: a.log.position.seq > opened.seq)
        assert a.log.validity(entry) is Validity.DEAD
        assert a.log.validity(stored(a.log.position, "x")) is Validity.VALID


async def test_a_newcomer_holds_what_is_held_even_where_the_log_no_longer_tells(
    redis_server: RedisServer, redis_url: str
) -> None:
    async with node("a", redis_url) as a:
        await _settled(a)
        await a.log.append(X, strict=True, settles_s=60.0)
        await a.log.append(Invalidation(tags=("y",)), strict=True)
        with redis_server.client() as client:
            client.execute_command("XTRIM", "{veneer}:log", "MAXLEN", 1)
        async with node("c", redis_url) as c:
            await c.leads()
            assert c.log.validity(stored(c.log.position, "x")) is Validity.DEAD
            assert c.log.validity(stored(c.log.position, "y")) is Validity.VALID


@pytest.mark.parametrize("lost", ["FLUSHALL", "DEL {veneer}:log", "DEL {veneer}:state", "DEL {veneer}:holds"])
async def test_holds_outlive_an_epoch_though_redis_has_lost_them(
    redis_server: RedisServer, redis_url: str, lost: str
) -> None:
    async with node("a", redis_url) as a:
        await _settled(a)
        epoch = a.log.position.epoch
        await a.log.append(X, strict=True, settles_s=60.0)
        with redis_server.client() as client:
            client.execute_command(*lost.split())
        await until(lambda: a.log.position.epoch != epoch)
        assert a.log.validity(stored(a.log.position, "x")) is Validity.DEAD
        async with node("c", redis_url) as c:
            await c.leads()
            await until(lambda: c.log.validity(stored(c.log.position, "x")) is Validity.DEAD)


async def test_a_write_goes_on_while_the_memory_of_redis_is_full(new_redis: NewRedis) -> None:
    server = new_redis()
    async with node("a", server.url) as a:
        await _settled(a)
        with server.client() as client:
            client.execute_command("CONFIG", "SET", "maxmemory-policy", "noeviction")
            client.execute_command("CONFIG", "SET", "maxmemory", "1")
        entry = stored(a.log.position, "x")
        for _ in range(5):
            receipt = await a.log.append(X, strict=True)
            assert receipt.shared
        assert a.log.validity(entry) is Validity.DEAD
        await asyncio.sleep(1.5 * LEASE_S)
        assert a.log.lease_state() is LeaseState.HELD, "renewals go on too"
        assert a.log.counts.failures == 0
