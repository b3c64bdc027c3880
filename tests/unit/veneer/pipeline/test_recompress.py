"""What is in steady demand is coded anew, once, in idle time; nothing else is, and nothing stale is put back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.support.clock import ManualClock
from tests.support.entries import stored
from veneer.core.entry import CodedBody, Entry
from veneer.core.invalidation import Invalidation
from veneer.loop.tasks import Tasks
from veneer.pipeline.recompress import HOT_AFTER, LOOK_EVERY_S, MAX_CANDIDATES, Recompressor
from veneer.policy.model import CompressRules
from veneer.ports import StreamEncoder
from veneer.stores.memory import MemoryStore
from veneer.stores.memory_log import MemoryLog

RULES = CompressRules()
FIRST = CodedBody("br", b"coded at first")
RECOMPRESSED = CodedBody("br", b"dense", recompressed=True)


class SlowCodec:
    """A Codec whose recompressed form is given; it does something of the test's meanwhile."""

    def __init__(self, clock: ManualClock) -> None:
        self.recompressed = RECOMPRESSED.body
        self.calls = 0
        self.meanwhile: Callable[[], Awaitable[object]] | None = None
        self._clock = clock

    async def encode(self, coding: str, level: int, body: bytes) -> bytes:
        raise NotImplementedError

    def encode_now(self, coding: str, level: int, body: bytes) -> bytes | None:
        raise NotImplementedError

    async def encode_hardest(self, coding: str, body: bytes) -> bytes:
        """The given bytes, after a tenth of a second."""
        assert (coding, body) == ("br", b"hello")
        self.calls += 1
        self._clock.advance(0.1)
        if self.meanwhile is not None:
            await self.meanwhile()
        return self.recompressed

    def hardest(self, coding: str) -> int:
        """As for brotli."""
        assert coding in {"br", "gzip"}
        return 11

    def stream(self, coding: str, level: int) -> StreamEncoder:
        raise NotImplementedError


class Stage:
    """An recompressor over real memory stores; time passes by a look at a time."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.busy_s = 0.0
        self.share = 0.1
        self.store = MemoryStore()
        self.log = MemoryLog(self.clock)
        self.codec = SlowCodec(self.clock)
        self.recompressor = Recompressor(self.store, self.log, self.codec, self.clock, lambda: self.busy_s)

    async def keep(self, key: str = "k") -> Entry:
        """A stored entry with a coded body, that the recompressor has seen asked for."""
        await self.store.put(key, stored(self.log.position, "t"), 60)
        self.store.attach(key, self.entry(key), FIRST)
        self.recompressor.consider(key, self.entry(key), "br", RULES)
        return self.entry(key)

    def entry(self, key: str = "k") -> Entry:
        """The one under `key`."""
        (entry,) = self.store.get_local(key)
        return entry

    async def rounds(self, count: int = HOT_AFTER, *used: str) -> None:
        """So many rounds, the keys in use before each."""
        for _ in range(count):
            for key in used:
                self.store.get_local(key)
            self.clock.advance(LOOK_EVERY_S)
            self.busy_s += LOOK_EVERY_S * self.share
            await self.recompressor.run_round()


@pytest.fixture
async def stage() -> Stage:
    return Stage()


async def test_what_is_used_all_the_time_is_coded_anew_and_once(stage: Stage) -> None:
    await stage.keep()
    await stage.rounds(HOT_AFTER - 1, "k")
    assert stage.codec.calls == 0
    await stage.rounds(1, "k")
    assert stage.entry().coded == (RECOMPRESSED,)
    assert (stage.recompressor.counts.recompressed, stage.recompressor.counts.saved_bytes) == (1, 9)
    await stage.rounds(2 * HOT_AFTER, "k")
    assert (stage.codec.calls, len(stage.recompressor)) == (1, 0)


async def test_what_rests_in_between_is_not_hot(stage: Stage) -> None:
    await stage.keep()
    for _ in range(HOT_AFTER):
        await stage.rounds(HOT_AFTER - 1, "k")
        await stage.rounds(1)
    assert (stage.codec.calls, len(stage.recompressor)) == (0, 1)


async def test_nothing_is_coded_while_the_loop_is_busy_and_the_hot_ones_wait(stage: Stage) -> None:
    await stage.keep()
    stage.share = 0.8
    await stage.rounds(HOT_AFTER + 2, "k")
    assert stage.codec.calls == 0
    stage.share = 0.1
    await stage.rounds(1, "k")
    assert stage.codec.calls == 1


async def test_a_turn_ends_when_the_next_look_is_due(stage: Stage) -> None:
    keys = [f"k{number}" for number in range(25)]
    for key in keys:
        await stage.keep(key)
    await stage.rounds(HOT_AFTER, *keys)
    assert stage.codec.calls == 10
    await stage.rounds(2, *keys)
    assert stage.codec.calls == 25


async def test_bytes_that_do_not_get_fewer_stay_and_are_not_tried_again(stage: Stage) -> None:
    await stage.keep()
    stage.codec.recompressed = b"x" * 100
    await stage.rounds(2 * HOT_AFTER, "k")
    assert stage.entry().coded == (CodedBody("br", FIRST.body, recompressed=True),)
    assert (stage.codec.calls, stage.recompressor.counts.saved_bytes) == (1, 0)


async def test_the_result_for_an_entry_that_was_replaced_meanwhile_is_dropped(stage: Stage) -> None:
    await stage.keep()
    stage.codec.meanwhile = lambda: stage.store.put("k", stored(stage.log.position, body=b"newer"), 60)
    await stage.rounds(HOT_AFTER, "k")
    assert stage.entry().coded == ()
    assert (stage.codec.calls, stage.recompressor.counts.recompressed) == (1, 0)


async def test_the_result_for_an_entry_that_was_invalidated_meanwhile_is_dropped(stage: Stage) -> None:
    await stage.keep()
    stage.codec.meanwhile = lambda: stage.log.append(Invalidation(tags=("t",)), strict=True)
    await stage.rounds(HOT_AFTER, "k")
    assert stage.entry().coded == (FIRST,)
    assert (stage.codec.calls, stage.recompressor.counts.recompressed) == (1, 0)


async def test_what_is_invalid_is_not_worth_coding(stage: Stage) -> None:
    await stage.keep()
    await stage.log.append(Invalidation(everything=True), strict=True)
    await stage.rounds(HOT_AFTER, "k")
    assert (stage.codec.calls, len(stage.recompressor)) == (0, 0)


async def test_what_is_gone_is_forgotten(stage: Stage) -> None:
    entry = await stage.keep()
    stage.store.drop("k")
    await stage.rounds(1)
    assert len(stage.recompressor) == 0
    await stage.keep()
    stage.recompressor.consider("k", entry, "gzip", RULES)
    await stage.rounds(1, "k")
    assert len(stage.recompressor) == 1, "also where another entry of the key is in use"


@pytest.mark.parametrize("rules", [CompressRules(level=11), CompressRules(idle_most_bytes=4)])
async def test_what_the_policy_leaves_alone(stage: Stage, rules: CompressRules) -> None:
    await stage.store.put("k", stored(stage.log.position), 60)
    stage.store.attach("k", stage.entry(), FIRST)
    stage.recompressor.consider("k", stage.entry(), "br", rules)
    await stage.rounds(HOT_AFTER + 1, "k")
    assert (stage.codec.calls, len(stage.recompressor)) == (0, 0)


async def test_candidates_are_bounded_and_those_in_use_stay(stage: Stage) -> None:
    await stage.keep()
    await stage.rounds(HOT_AFTER - 1, "k")
    others = [stored(stage.log.position) for _ in range(MAX_CANDIDATES)]
    for number, other in enumerate(others[1:]):
        stage.recompressor.consider(f"o{number}", other, "br", RULES)
    await stage.rounds(1, "k")
    assert stage.codec.calls == 1
    for number, other in enumerate(others):
        stage.recompressor.consider(f"p{number}", other, "br", RULES)
    assert len(stage.recompressor) == MAX_CANDIDATES
    await stage.keep()
    await stage.rounds(HOT_AFTER, "k")
    assert stage.codec.calls == 2, "what was noted last is kept"


async def test_it_sleeps_until_there_is_something_to_watch_and_ends_when_cancelled(stage: Stage) -> None:
    slept: list[float] = []
    coded = asyncio.Event()

    async def done() -> None:
        coded.set()

    stage.codec.meanwhile = done

    async def sleep(duration_s: float) -> None:
        slept.append(duration_s)
        stage.clock.advance(duration_s)
        stage.store.get_local("k")
        await asyncio.sleep(0)

    tasks = Tasks()
    running = tasks.start(stage.recompressor.run(sleep), "upgrade")
    await asyncio.sleep(0)
    assert slept == []
    await stage.keep()
    async with asyncio.timeout(5):
        await coded.wait()
    assert slept == [LOOK_EVERY_S] * HOT_AFTER
    await tasks.aclose()
    assert running.cancelled()
