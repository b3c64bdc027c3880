"""What passes through: writes are told to the log before their answer leaves, whatever becomes of them."""

from __future__ import annotations

import asyncio
import gc

import pytest

from tests.support.pipeline import REFUSED, RESET, Bench, ScriptedClient, ScriptedResponse, says
from veneer.core.fields import Pair
from veneer.core.invalidation import Invalidation
from veneer.pipeline.answer import Answer, StoredBody, StreamBody
from veneer.pipeline.exchange import CacheResult, Refusal
from veneer.pipeline.forward import SMALL_BYTES, Forwarder
from veneer.ports import ClientGoneError, UpstreamError, UpstreamFailure

WRITES = "{name: w, match: {path: '/w/{id}'}, invalidates: ['user:{id}'], write_settles: 7s%s}"
SETTLES_S = 7.0


def bench_of(more: str = "") -> Bench:
    return Bench(WRITES % more)


async def write(bench: Bench, *fields: Pair, method: str = "PUT", client: ScriptedClient | None = None) -> Answer:
    return await Forwarder(bench.services).answer(bench.exchange(*fields, method=method, path="/w/1", client=client))


def told(bench: Bench) -> list[tuple[Invalidation, float]]:
    assert bench.log.open_writes == 0, "whatever happens, the write ends"
    return bench.log.appended


async def test_a_success_invalidates_its_target_and_the_routes_tags() -> None:
    bench = bench_of()
    bench.backend.script = [says()]
    answer = await write(bench)
    assert (answer.head.status, answer.use) == (200, CacheResult.BYPASS)
    ((event, settles_s),) = told(bench)
    assert event.tags == ("user:1",)
    assert any("/w/1" in uri for uri in event.uris)
    assert settles_s == 0


@pytest.mark.parametrize("status", [400, 404, 409])
async def test_a_refused_write_invalidates_nothing(status: int) -> None:
    bench = bench_of()
    bench.backend.script = [says(status=status)]
    await write(bench)
    assert told(bench) == []


@pytest.mark.parametrize(("status", "settles_s"), [(500, 0.0), (502, SETTLES_S), (504, SETTLES_S)])
async def test_a_failure_counts_as_done_and_a_gateways_leaves_the_write_in_doubt(status: int, settles_s: float) -> None:
    bench = bench_of()
    bench.backend.script = [says(status=status)]
    await write(bench)
    assert [settles for _, settles in told(bench)] == [settles_s]


async def test_no_answer_leaves_the_write_in_doubt() -> None:
    bench = bench_of()
    bench.backend.script = [RESET]
    answer = await write(bench)
    assert (answer.head.status, answer.refused) == (502, Refusal.UPSTREAM)
    assert [settles for _, settles in told(bench)] == [SETTLES_S]


async def test_what_was_not_sent_changed_nothing() -> None:
    bench = bench_of()
    bench.backend.script = [REFUSED]
    assert (await write(bench)).head.status == 502
    assert told(bench) == []


async def test_a_write_that_may_not_begin_is_not_sent() -> None:
    bench = bench_of()
    bench.log.writable = False
    answer = await write(bench)
    assert (answer.head.status, answer.refused) == (503, Refusal.LOG_LOST)
    assert bench.backend.asked == []


async def test_an_answer_that_others_would_contradict_is_kept_from_the_client() -> None:
    bench = bench_of()
    bench.log.reachable = False
    said = says()
    bench.backend.script = [said]
    answer = await write(bench)
    assert (answer.head.status, answer.refused, said.closed) == (504, Refusal.LOG_LOST, True)


async def test_bounded_consistency_passes_it_on() -> None:
    bench = bench_of(", consistency: bounded")
    bench.log.reachable = False
    bench.backend.script = [says()]
    assert (await write(bench)).head.status == 200


async def test_what_the_response_names_is_invalidated_too() -> None:
    bench = bench_of()
    bench.backend.script = [says(("X-Cache-Invalidate", "list:*"))]
    await write(bench)
    named = repr([event for event, _ in told(bench)])
    assert "'user:1'" in named
    assert "'list" in named


async def test_a_route_that_counts_where_the_response_is_silent_does_not_count_else() -> None:
    bench = bench_of(", invalidates_when: silent")
    bench.backend.script = [says(("X-Cache-Invalidate", "other"))]
    await write(bench)
    assert "user:1" not in [tag for event, _ in told(bench) for tag in event.tags]


async def test_a_write_goes_on_when_its_client_leaves() -> None:
    bench, client = bench_of(), ScriptedClient(b"{}")
    bench.backend.script = [says()]
    bench.backend.opened.clear()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_gone(bench, client))
        await bench.backend.reached.wait()
        client.leave()
        bench.backend.opened.set()
    assert task.done()
    assert len(told(bench)) == 1


async def _gone(bench: Bench, client: ScriptedClient) -> None:
    with pytest.raises(ClientGoneError):
        await write(bench, client=client)


async def test_a_stopped_write_counts_as_done() -> None:
    bench = bench_of()
    bench.backend.opened.clear()
    task = asyncio.ensure_future(write(bench))  # noqa: TID251 - a test's own task
    await bench.backend.reached.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [settles for _, settles in told(bench)] == [SETTLES_S]


async def test_a_safe_request_opens_no_write() -> None:
    bench = bench_of()
    bench.backend.script = [says()]
    answer = await write(bench, method="OPTIONS")
    assert answer.head.status == 200
    assert told(bench) == []


async def test_a_small_private_response_is_read_whole_and_gets_a_validator() -> None:
    bench = Bench()
    said = says()
    bench.backend.script = [said]
    answer = await Forwarder(bench.services).answer(bench.exchange(client=ScriptedClient(b"content")))
    assert isinstance(answer.body, StoredBody)
    assert answer.head.fields.get("etag")
    assert said.closed
    assert bench.stored() == []


async def test_a_long_one_passes_as_it_comes() -> None:
    bench = Bench()
    bench.backend.script = [ScriptedResponse(("Content-Length", str(SMALL_BYTES + 1)))]
    answer = await Forwarder(bench.services).answer(bench.exchange(client=ScriptedClient(b"content")))
    assert isinstance(answer.body, StreamBody)
    assert "etag" not in answer.head.fields


async def test_a_response_to_post_that_is_its_targets_is_stored_for_get() -> None:
    bench = Bench()
    bench.backend.script = [says(("Cache-Control", "max-age=60"), ("Content-Location", "http://site/x"))]
    answer = await Forwarder(bench.services).answer(bench.exchange(method="POST"))
    assert answer.cache.stored
    assert [entry.body for entry in bench.stored()] == [b"hello"]


async def test_a_failure_leaves_nothing_to_the_collector() -> None:
    """What carried the failure here (frames, and the bodies in them) would else stay until a collection of cycles."""
    bench = bench_of()

    async def fails() -> None:
        bench.backend.script = [UpstreamError(UpstreamFailure.RESET, "gone", sent=True)]
        assert (await write(bench)).refused is Refusal.UPSTREAM

    await fails()
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            await fails()
        assert gc.collect() == 0
    finally:
        gc.enable()
