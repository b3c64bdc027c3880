from __future__ import annotations

import asyncio

from tests.support.clock import ManualClock
from tests.unit.veneer.observe.records import record
from veneer.admin.history import MOST, STEP_S, History
from veneer.observe.counters import Counts, Snapshot
from veneer.observe.gauges import Gauges, StoreGauges
from veneer.pipeline.exchange import CacheResult, ExchangeRecord

GAUGES = Gauges(stores=(StoreGauges("l1", 1, 300, 1_000), StoreGauges("l2")), upstream_waiting={"a": 2, "b": 1})


class Bench:
    """Counts that grow, looked at every step."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.counts = Counts()
        self.history = History(self.clock.now, self.clock.monotonic)
        self.history.look(self.snapshot())

    def snapshot(self) -> Snapshot:
        return Snapshot(self.counts, GAUGES)

    def step(self, *records: ExchangeRecord) -> None:
        for one in records:
            self.counts.count(one)
        self.clock.advance(STEP_S)
        self.history.look(self.snapshot())


def hit(duration_ms: float = 0.1) -> ExchangeRecord:
    return record(route="a", cache=CacheResult.HIT, duration_ms=duration_ms)


def test_a_point_is_what_happened_since_the_one_before() -> None:
    bench = Bench()
    miss = record(route="b", cache=CacheResult.MISS, duration_ms=90.0, upstream_ms=40.0)
    bench.step(hit(), hit(), hit(), miss, record(status=503, cache=CacheResult.MISS))
    bench.step(hit())
    first, second = bench.history.told().points
    assert (first.requests, first.errors, first.hit_rate) == (0.5, 0.1, 0.6)
    assert (first.p99_ms, first.upstream_p99_ms) == (100.0, 50.0)
    assert (second.requests, second.errors, second.hit_rate) == (0.1, 0, 1)
    assert (second.p99_ms, second.upstream_p99_ms) == (0.25, None)
    assert (first.waiting, first.stored_bytes) == (3, 300)
    assert second.at - first.at == STEP_S


def test_a_step_without_requests_knows_no_hit_rate() -> None:
    bench = Bench()
    bench.step()
    (point,) = bench.history.told().points
    assert (point.requests, point.hit_rate, point.p99_ms) == (0, None, None)


def test_an_hour_is_kept() -> None:
    bench = Bench()
    for _ in range(MOST + 5):
        bench.step()
    assert len(bench.history.told().points) == MOST


def test_counts_of_a_killed_worker_that_are_lost_are_no_negative_rate() -> None:
    bench = Bench()
    bench.step(hit(), hit())
    bench.counts = Counts()
    bench.step()
    assert bench.history.told().points[-1].requests == 0


async def test_it_looks_until_it_is_cancelled() -> None:
    bench, slept = Bench(), asyncio.Event()

    async def sleep(seconds: float) -> None:
        assert seconds == STEP_S
        slept.set()
        await asyncio.Event().wait()

    bench.clock.advance(STEP_S)
    task = asyncio.get_running_loop().create_task(bench.history.run(bench.snapshot, sleep))
    await slept.wait()
    task.cancel()
    assert len(bench.history.told().points) == 1
