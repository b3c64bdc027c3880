"""The outbox: order, bounds, and what becomes of events while Redis is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import cast

import pytest

from veneer.core.invalidation import Invalidation
from veneer.loop.tasks import Tasks
from veneer.stores.events import Appended
from veneer.stores.log_link import LogLink
from veneer.stores.outbox import Outbox


class Link:
    """A LogLink whose calls fail while `away`, and wait while `held`."""

    def __init__(self) -> None:
        self.calls: list[list[Invalidation]] = []
        self.seq = 0
        self.away = False
        self.let_go = asyncio.Event()
        self.let_go.set()

    async def append(self, events: Sequence[tuple[Invalidation, bool, float]]) -> Appended:
        if self.away:
            raise ConnectionError("away")
        self.calls.append([event for event, _, _ in events])
        await self.let_go.wait()
        self.seq += len(events)
        return Appended("e", 1, self.seq, ())


class Office:
    """An outbox with its link and what it said of failures."""

    def __init__(self, tasks: Tasks, most_names: int = 5) -> None:
        self.link = Link()
        self.failures: list[BaseException] = []
        self.box = Outbox(cast("LogLink", self.link), tasks, most_names, self.failures.append)
        self._tasks = tasks

    async def put(self, *tags: str, strict: bool = True) -> asyncio.Task[Appended | None]:
        """A writer whose event is in the box."""
        writer = self._tasks.start(self.box.send(Invalidation(tags=tags), strict=strict), f"writer of {tags}")
        await asyncio.sleep(0)
        return writer


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    kept = Tasks()
    yield kept
    await kept.aclose()


async def test_at_the_end_what_waits_is_handed_over_when_redis_comes_back(tasks: Tasks) -> None:
    office = Office(tasks)
    office.link.away = True
    writer = await office.put("a")
    handing = tasks.start(office.box.hand_over(60.0, 0.0), "the end")
    await asyncio.sleep(0.01)
    assert not handing.done()
    office.link.away = False
    assert await handing
    assert await writer is not None


async def test_at_the_end_it_does_not_wait_for_redis_for_ever(tasks: Tasks) -> None:
    office = Office(tasks)
    office.link.away = True
    await office.put("a")
    assert not await office.box.hand_over(0.0, 0.0)
    office.box.abandon()


async def test_events_that_come_while_others_are_sent_go_together_and_each_learns_its_place(tasks: Tasks) -> None:
    office = Office(tasks)
    office.link.let_go.clear()
    writers = [await office.put(tag) for tag in "abc"]
    office.link.let_go.set()
    places = [await writer for writer in writers]
    assert [place.seq for place in places if place is not None] == [1, 2, 3]
    assert [[event.tags for event in call] for call in office.link.calls] == [[("a",)], [("b",), ("c",)]]


async def test_what_names_too_much_becomes_everything(tasks: Tasks) -> None:
    office = Office(tasks, most_names=5)
    office.link.away = True
    writers = [await office.put(*tags) for tags in ("ab", "cd", "ef", "g")]
    office.link.away = False
    await office.box.share()
    (call,) = office.link.calls
    assert [(event.tags, event.everything) for event in call] == [(("a", "b"), False), ((), True), (("g",), False)]
    places = [await writer for writer in writers]
    assert [place.seq for place in places if place is not None] == [1, 2, 2, 3]


async def test_what_joins_an_event_on_its_way_is_sent_after_it(tasks: Tasks) -> None:
    office = Office(tasks, most_names=1)
    office.link.let_go.clear()
    writers = [await office.put(tag) for tag in "abc"]
    assert len(office.link.calls) == 1
    office.link.let_go.set()
    places = [await writer for writer in writers]
    assert [place.seq for place in places if place is not None] == [1, 2, 2]
    assert [[event.everything for event in call] for call in office.link.calls] == [[False], [True]]


async def test_a_writer_that_leaves_takes_no_event_with_it(tasks: Tasks) -> None:
    office = Office(tasks)
    office.link.let_go.clear()
    leaving, staying = await office.put("a"), await office.put("b")
    leaving.cancel()
    await asyncio.sleep(0)
    office.link.let_go.set()
    place = await staying
    assert place is not None
    assert place.seq == 2
    assert [[event.tags for event in call] for call in office.link.calls] == [[("a",)], [("a",), ("b",)]]


async def test_only_the_patient_wait_for_an_outage_to_end(tasks: Tasks) -> None:
    office = Office(tasks)
    office.link.away = True
    patient, hasty = await office.put("a"), await office.put("b", strict=False)
    assert await hasty is None
    assert office.failures
    assert not patient.done()
    office.link.away = False
    await office.box.share()
    place = await patient
    assert place is not None
    assert [len(call) for call in office.link.calls] == [2]


async def test_who_waits_at_the_end_is_let_go(tasks: Tasks) -> None:
    office = Office(tasks)
    office.link.away = True
    writer = await office.put("a")
    office.box.abandon()
    assert await writer is None
