"""The outbox: order, bounds, and what becomes of events while Redis is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import cast

import pytest

from proxy.core.invalidation import Invalidation
from proxy.stores.events import Appended
from proxy.stores.log_link import LogLink
from proxy.stores.outbox import Outbox
from proxy.tasks import Tasks


class Link:
    """A LogLink whose calls fail while `away`, and wait while `held`."""

    def __init__(self) -> None:
        self.calls: list[list[Invalidation]] = []
        self.seq = 0
        self.away = False
        self.let_go = asyncio.Event()
        self.let_go.set()

    async def append(self, events: Sequence[tuple[Invalidation, bool]]) -> Appended:
        if self.away:
            raise ConnectionError("away")
        self.calls.append([event for event, _ in events])
        await self.let_go.wait()
        self.seq += len(events)
        return Appended("e", 1, self.seq, ())


class Office:
    """An outbox with its link and what it said of failures."""

    def __init__(self, tasks: Tasks, most_names: int = 5) -> None:
        self.link = Link()
        self.failures: list[BaseException] = []
        self.box = Outbox(cast("LogLink", self.link), tasks, most_names, self.failures.append)

    def put(self, *tags: str, strict: bool = True) -> asyncio.Future[Appended | None]:
        return self.box.put(Invalidation(tags=tags), strict=strict)


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    kept = Tasks()
    yield kept
    await kept.aclose()


async def test_events_that_come_together_go_together_and_each_learns_its_place(tasks: Tasks) -> None:
    office = Office(tasks)
    answers = await asyncio.gather(office.put("a"), office.put("b"), office.put("c"))
    assert [answer.seq for answer in answers if answer is not None] == [1, 2, 3]
    assert [[event.tags for event in call] for call in office.link.calls] == [[("a",), ("b",), ("c",)]]


async def test_what_names_too_much_becomes_everything(tasks: Tasks) -> None:
    office = Office(tasks, most_names=5)
    office.link.away = True
    futures = [office.put("a", "b"), office.put("c", "d"), office.put("e", "f"), office.put("g")]
    await asyncio.sleep(0)
    office.link.away = False
    await office.box.share()
    (call,) = office.link.calls
    assert [(event.tags, event.everything) for event in call] == [(("a", "b"), False), ((), True), (("g",), False)]
    assert [answer.seq for future in futures if (answer := await future) is not None] == [1, 2, 2, 3]


async def test_what_joins_an_event_on_its_way_is_sent_after_it(tasks: Tasks) -> None:
    office = Office(tasks, most_names=1)
    office.link.let_go.clear()
    first = office.put("a")
    await asyncio.sleep(0)
    second, third = office.put("b"), office.put("c")
    assert len(office.link.calls) == 1
    office.link.let_go.set()
    places = [await future for future in (first, second, third)]
    assert [place.seq for place in places if place is not None] == [1, 2, 2]
    assert [[event.everything for event in call] for call in office.link.calls] == [[False], [True]]


async def test_only_the_patient_wait_for_an_outage_to_end(tasks: Tasks) -> None:
    office = Office(tasks)
    office.link.away = True
    patient, hasty = office.put("a"), office.put("b", strict=False)
    assert await hasty is None
    assert office.failures
    assert not patient.done()
    office.link.away = False
    await office.box.share()
    answer = await patient
    assert answer is not None
    assert [len(call) for call in office.link.calls] == [2]


async def test_who_waits_at_the_end_is_let_go(tasks: Tasks) -> None:
    office = Office(tasks)
    office.link.away = True
    future = office.put("a")
    office.box.abandon()
    assert await future is None
