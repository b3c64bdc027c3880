"""Misses of the fast path with a shared store: looked up first, in a callback, and fetched in a lock."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.unit.veneer.fastpath.shared_stage import SharedStage
from tests.unit.veneer.fastpath.stage import came
from veneer.ports import LeaseState


@pytest.fixture
async def stage() -> SharedStage:
    return SharedStage()


async def test_what_the_shared_store_does_not_have_is_sent_and_stored_with_its_lock(stage: SharedStage) -> None:
    await stage.teach_shared()
    assert stage.ask("/second")
    assert len(stage.backend.heads) == 1
    assert stage.active == stage.services.in_flight.active == 1
    stage.found()
    assert len(stage.backend.heads) == 2
    assert stage.backend.says(came(b"other"))
    assert b"".join(stage.line.sent).endswith(b"\r\n\r\nother")
    assert stage.far.locks == [stage.lock]
    assert stage.lock.released == [True]
    assert stage.active == stage.services.in_flight.active == 0
    assert len(stage.services.flights) == 0


async def test_what_it_has_is_answered_by_the_pipeline(stage: SharedStage) -> None:
    await stage.teach_shared()
    (entry,) = stage.store.entries()
    assert stage.ask("/second")
    (key,) = stage.store._places
    stage.store.put_now(key.replace("6:/first", "7:/second"), replace(entry, uri="site/second", body=b"kept"), 60)
    stage.found(anything=True)
    await stage.line.is_over.wait()
    assert b"Cache-Status: Veneer; hit" in b"".join(stage.line.sent)
    assert b"".join(stage.line.sent).endswith(b"kept")
    assert len(stage.backend.heads) == 1
    assert stage.active == stage.services.in_flight.active == 0
    assert stage.lock.dropped


@pytest.mark.parametrize("why", ["lock", "lease", "backend", "flight", "last"])
async def test_where_it_is_not_certain_any_more_the_pipeline_goes_on(stage: SharedStage, why: str) -> None:
    await stage.teach_shared()
    assert stage.ask("/second")
    if why == "lock":
        stage.lock.got = False
    elif why == "lease":
        stage.heard.lease = LeaseState.EXPIRED
    elif why == "backend":
        stage.backend.free = False
    elif why == "last":
        stage.line.is_last = True
    else:
        miss = stage.line.pending
        assert miss is not None
        stage.services.flights.open(miss.group)  # type: ignore[attr-defined]
    stage.found()
    assert stage.lock.dropped == 1
    assert len(stage.backend.heads) == 1
    assert stage.services.in_flight.active == 1, "counted once"
    assert stage.lock.released == []
    await asyncio.sleep(0)
    await stage.services.tasks.aclose()
    assert stage.services.in_flight.active == 0


async def test_a_client_that_leaves_meanwhile_is_not_answered_and_its_lock_is_dropped(stage: SharedStage) -> None:
    await stage.teach_shared()
    assert stage.ask("/second")
    assert stage.line.pending is not None
    stage.line.pending.leave()
    assert stage.lock.dropped == 1
    stage.found()
    await stage.line.is_over.wait()
    assert len(stage.backend.heads) == 1
    assert stage.active == stage.services.in_flight.active == 0


async def test_a_proxy_that_stops_meanwhile_ends_it(stage: SharedStage) -> None:
    await stage.teach_shared()
    assert stage.ask("/second")
    assert stage.line.pending is not None
    stage.line.pending.cancel()
    await stage.line.is_over.wait()
    stage.found()
    assert stage.active == stage.services.in_flight.active == 0


async def test_what_may_vary_by_a_value_that_changes_takes_the_normal_way(stage: SharedStage) -> None:
    await stage.teach_shared()
    stage.far.vary_names = ("accept-encoding", "cookie")
    assert not stage.ask("/second", "Cookie: a=1")
    assert stage.ask("/second")
    await asyncio.sleep(0)
