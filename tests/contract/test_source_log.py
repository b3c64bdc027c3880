"""Who may read a source of changes, and what all nodes hear of it: the log in process and the one in Redis."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from devstack.redis import RedisServer
from tests.contract.test_shared_log import NewRedis
from tests.support.entries import FakeClock, stored
from tests.support.shared_log import LEASE_S, Node, node, until
from veneer.core.invalidation import Invalidation, Validity
from veneer.ports import SourceLog, SourceMoment
from veneer.stores.memory_log import MemoryLog

NEVER = float("-inf")


async def _place(log: SourceLog, *tags: str) -> None:
    placed = asyncio.get_running_loop().create_future()
    log.place_soon(Invalidation(tags=tags), lambda: placed.set_result(None))
    await placed


class Told(NamedTuple):
    """A moment that was told."""

    clock: str
    ms: int


async def _tell(log: SourceLog, position: str) -> Told:
    """What has come up to now is in the log."""
    claim = await log.claim("db")
    await log.claim("db", SourceMoment(claim.clock, claim.now_ms, position))
    return Told(claim.clock, claim.now_ms)


async def test_alone_it_is_always_ours_and_time_is_our_own() -> None:
    clock = FakeClock()
    log = MemoryLog(clock)
    assert log.as_of("db") == NEVER
    assert (await log.sources.claim("db")).mine
    moment = await _tell(log.sources, "0/A")
    assert log.as_of("db") == moment.ms / 1000 <= clock.monotonic()
    told = log.sources.told("db")
    assert told is not None
    assert told.position == "0/A"
    await log.sources.claim("db", SourceMoment("another process", moment.ms + 1_000, "0/B"))
    assert log.sources.told("db") == told
    held = stored(log.position, "x")
    await _place(log.sources, "x")
    assert log.validity(held) is Validity.DEAD


async def test_one_node_may_read_until_it_gives_the_source_back(redis_url: str) -> None:
    async with node("a", redis_url) as a, node("b", redis_url) as b:
        first = await a.log.sources.claim("db")
        assert (first.mine, first.reader) == (True, "a")
        other = await b.log.sources.claim("db")
        assert (other.mine, other.reader) == (False, "a")
        assert (await b.log.sources.claim("elsewhere")).mine
        await b.log.sources.release("db")
        assert (await a.log.sources.claim("db")).mine
        await a.log.sources.release("db")
        assert (await b.log.sources.claim("db")).mine


async def test_who_does_not_come_back_is_followed_by_another(redis_url: str) -> None:
    async with node("a", redis_url) as a, node("b", redis_url) as b:
        assert (await a.log.sources.claim("db")).mine
        async with asyncio.timeout(LEASE_S * 10):
            while not (await b.log.sources.claim("db")).mine:  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0.05)
        assert not (await a.log.sources.claim("db")).mine


async def _hears(one: Node, position: str) -> None:
    def heard() -> bool:
        told = one.log.sources.told("db")
        return told is not None and told.position == position

    await until(heard)


async def test_every_node_hears_how_far_a_source_has_come_and_has_applied_what_came(redis_url: str) -> None:
    async with node("a", redis_url) as a, node("b", redis_url) as b:
        await b.leads()
        held, asked_s = stored(b.log.position, "x"), b.log._clock.monotonic()
        await _place(a.log.sources, "x")
        await _tell(a.log.sources, "0/A")
        await _hears(b, "0/A")
        assert b.log.validity(held) is Validity.DEAD
        assert asked_s - 0.5 < b.log.as_of("db") < b.log._clock.monotonic()
        told = b.log.sources.told("db")
        assert told is not None
        assert told.reader == "a"


async def test_what_is_told_grows_old_while_nobody_reads(redis_url: str) -> None:
    async with node("a", redis_url) as a, node("b", redis_url) as b:
        await _tell(a.log.sources, "0/A")
        await _hears(b, "0/A")
        first = b.log.as_of("db")
        await asyncio.sleep(0.5)
        assert b.log.as_of("db") <= first + 0.05
        assert b.log.as_of("db") < b.log._clock.monotonic() - 0.4


async def test_a_moment_of_another_clock_or_of_the_future_is_not_believed(redis_url: str) -> None:
    async with node("a", redis_url) as a, node("b", redis_url) as b:
        moment = await _tell(a.log.sources, "0/A")
        await a.log.sources.claim("db", SourceMoment("another epoch", moment.ms + 10_000, "0/B"))
        await _hears(b, "0/A")
        await a.log.sources.claim("db", SourceMoment(moment.clock, moment.ms + 3_600_000, "0/C"))
        await _hears(b, "0/C")
        assert b.log.as_of("db") <= b.log._clock.monotonic()


async def test_an_earlier_moment_does_not_take_the_place_of_a_later_one(redis_url: str) -> None:
    async with node("a", redis_url) as a, node("b", redis_url) as b:
        moment = await _tell(a.log.sources, "0/A")
        await a.log.sources.claim("db", SourceMoment(moment.clock, moment.ms - 5_000, "0/B"))
        await _hears(b, "0/B")
        assert b.log.as_of("db") > b.log._clock.monotonic() - 4


async def test_in_a_new_epoch_nobody_knows_until_the_reader_has_told_again(new_redis: NewRedis) -> None:
    server: RedisServer = new_redis()
    async with node("a", server.url) as a, node("b", server.url) as b:
        await _tell(a.log.sources, "0/A")
        await _hears(b, "0/A")
        epoch = b.log.epoch
        await asyncio.to_thread(server.restart)
        await until(lambda: b.log.epoch != epoch and a.log.epoch == b.log.epoch)
        assert b.log.as_of("db") == NEVER
        await _tell(a.log.sources, "0/B")
        await _hears(b, "0/B")


async def test_what_was_told_is_known_to_who_reads_on_and_only_for_the_same_settings(redis_url: str) -> None:
    alone = MemoryLog(FakeClock())
    async with node("a", redis_url) as a, node("b", redis_url) as b:
        for first, second in ((alone.sources, alone.sources), (a.log.sources, b.log.sources)):
            claim = await first.claim("db@1")
            assert claim.known is None
            told = SourceMoment(claim.clock, claim.now_ms, "0/A", "here")
            await first.claim("db@1", told)
            await first.release("db@1")
            assert (await second.claim("db@1")).known == told
            assert (await second.claim("db@2")).known is None
            await second.claim("db@2", SourceMoment(claim.clock, None, "0/B", "here"))
            again = (await second.claim("db@2")).known
            assert again is not None
            assert again.position == "0/B"
            assert (await second.claim("db@1")).known is None
        await _told_only(b, "db@2", "0/B")
        assert b.log.as_of("db@2") < b.log._clock.monotonic() - 1_000_000
    assert alone.as_of("db@2") == NEVER


async def _told_only(one: Node, key: str, position: str) -> None:
    def heard() -> bool:
        told = one.log.sources.told(key)
        return told is not None and told.position == position

    await until(heard)


async def test_the_right_to_read_is_the_sources_whatever_its_settings(redis_url: str) -> None:
    async with node("a", redis_url) as a, node("b", redis_url) as b:
        assert (await a.log.sources.claim("db@1")).mine
        assert not (await b.log.sources.claim("db@2")).mine
        assert (await b.log.sources.claim("db2@2")).mine
