"""The outbox: order, bounds, and what becomes of events while Redis is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import cast

import pytest

from veneer.core.invalidation import Invalidation
from veneer.loop.tasks import Tasks
from veneer.stores.events import Appended
from veneer.stores.log_link import LogLink, OnAppended
from veneer.stores.outbox import Outbox


class Link:
    """A LogLink whose calls fail while `away`, and are not answered while `holding`."""

    def __init__(self) -> None:
        self.calls: list[list[Invalidation]] = []
        self.seq = 0
        self.away = self.holding = False
        self.held: list[tuple[int, OnAppended]] = []

    def append(self, events: Sequence[tuple[Invalidation, bool, float]], on_appended: OnAppended) -> None:
        soon = asyncio.get_running_loop().call_soon
        if self.away:
            soon(on_appended, ConnectionError("away"))
            return
        self.calls.append([event for event, _, _ in events])
        if self.holding:
            self.held.append((len(events), on_appended))
        else:
            soon(self.answer, len(events), on_appended)

    def answer(self, events: int, on_appended: OnAppended) -> None:
        self.seq += events
        on_appended(Appended("e", 1, self.seq, ()))

    def let_go(self, *, holding: bool = False) -> None:
        """Answer what is held; what is sent from now on is held as well if it says so."""
        self.holding = holding
        held, self.held = self.held, []
        for events, on_appended in held:
            self.answer(events, on_appended)


class Office:
    """An outbox with its link and what it said of failures."""

    def __init__(self, most_names: int = 5, patience_s: float = 60.0) -> None:
        self.link = Link()
        self.failures: list[BaseException] = []
        self.box = Outbox(cast("LogLink", self.link), most_names, patience_s, self.failures.append)

    def put(self, *tags: str, strict: bool = True) -> asyncio.Future[Appended | None]:
        """A writer whose event is in the box."""
        told: asyncio.Future[Appended | None] = asyncio.get_running_loop().create_future()
        self.box.add(Invalidation(tags=tags), told.set_result, strict=strict)
        return told

    async def sent(self, *tags: str, strict: bool = True) -> asyncio.Future[Appended | None]:
        """The same, once what was gathered with it has left."""
        told = self.put(*tags, strict=strict)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return told


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    kept = Tasks()
    yield kept
    await kept.aclose()


async def test_at_the_end_what_waits_is_handed_over_when_redis_comes_back(tasks: Tasks) -> None:
    office = Office()
    office.link.away = True
    writer = await office.sent("a")
    handing = tasks.start(office.box.hand_over(60.0, 0.0), "the end")
    await asyncio.sleep(0.01)
    assert not handing.done()
    office.link.away = False
    assert await handing
    assert await writer is not None


async def test_at_the_end_it_does_not_wait_for_redis_for_ever() -> None:
    office = Office()
    office.link.away = True
    await office.sent("a")
    assert not await office.box.hand_over(0.0, 0.0)
    office.box.abandon()


async def test_events_of_one_iteration_go_together_and_so_do_those_that_come_while_others_are_sent() -> None:
    office = Office()
    office.link.holding = True
    writers = [office.put(tag) for tag in "ab"]
    writers += [await office.sent(tag) for tag in "cde"]
    office.link.let_go()
    places = [await writer for writer in writers]
    assert [place.seq for place in places if place is not None] == [1, 2, 3, 4, 5]
    assert [[event.tags for event in call] for call in office.link.calls] == [
        [("a",), ("b",), ("c",)],
        [("d",), ("e",)],
    ]


async def test_nobody_waits_for_a_call_that_takes_long(tasks: Tasks) -> None:
    office = Office()
    office.link.holding = True
    first = await office.sent("a")
    together = [office.put(tag) for tag in "bc"]
    async with asyncio.timeout(10):
        while len(office.link.calls) < 2:  # noqa: ASYNC110 - nothing tells of a call
            await asyncio.sleep(0.001)
    office.link.let_go()
    places = [await writer for writer in (first, *together)]
    assert [place.seq for place in places if place is not None] == [1, 2, 3]
    assert [[event.tags for event in call] for call in office.link.calls] == [[("a",)], [("b",), ("c",)]]
    assert not office.box.waits


async def test_a_call_that_failed_is_repeated_after_one_that_followed_it(tasks: Tasks) -> None:
    office = Office(most_names=2)
    office.link.holding = True
    first = await office.sent("a")
    sharing = tasks.start(office.box.share(), "share")
    second = await office.sent("b")
    async with asyncio.timeout(10):
        while len(office.link.calls) < 2:  # noqa: ASYNC110 - nothing tells of a call
            await asyncio.sleep(0.001)
    (_, fails), (_, succeeds) = office.link.held
    office.link.holding = False
    fails(ConnectionError("lost"))
    with pytest.raises(ConnectionError):
        await sharing
    assert not first.done()
    office.link.answer(1, succeeds)
    places = [await writer for writer in (first, second)]
    assert [place.seq for place in places if place is not None] == [2, 1]
    assert [[event.tags for event in call] for call in office.link.calls] == [[("a",)], [("b",)], [("a",)]]
    assert not office.box.waits


async def test_what_names_too_much_becomes_everything() -> None:
    office = Office(most_names=5)
    office.link.away = True
    writers = [await office.sent(*tags) for tags in ("ab", "cd", "ef", "g")]
    office.link.away = False
    await office.box.share()
    (call,) = office.link.calls
    assert [(event.tags, event.everything) for event in call] == [(("a", "b"), False), ((), True), (("g",), False)]
    places = [await writer for writer in writers]
    assert [place.seq for place in places if place is not None] == [1, 2, 2, 3]


async def test_what_joins_an_event_on_its_way_is_sent_after_it() -> None:
    office = Office(most_names=1)
    office.link.holding = True
    writers = [await office.sent(tag) for tag in "abc"]
    assert len(office.link.calls) == 1
    office.link.let_go()
    places = [await writer for writer in writers]
    assert [place.seq for place in places if place is not None] == [1, 2, 2]
    assert [[event.everything for event in call] for call in office.link.calls] == [[False], [True]]


async def test_where_nobody_waits_the_place_is_told_whenever_it_is_known() -> None:
    office = Office(patience_s=0.0)
    office.link.away = True
    unhurried = await office.sent("a", strict=False)
    await asyncio.sleep(0.01)
    assert office.failures
    assert not unhurried.done()
    office.link.away = False
    await office.box.share()
    assert await unhurried == Appended("e", 1, 1, ())


async def test_what_nobody_waits_for_is_bounded_as_well() -> None:
    office = Office(most_names=2)
    office.link.away = True
    hearing = [await office.sent(tag, strict=False) for tag in "abcd"]
    assert sum(len(queued.writers) for queued in office.box._queue) == 2
    office.link.away = False
    await office.box.share()
    (call,) = office.link.calls
    assert [(event.tags, event.everything) for event in call] == [(("a",), False), ((), True)]
    assert [told.done() for told in hearing] == [True, True, False, False]


async def test_nobody_waits_longer_than_so_long_and_the_event_is_shared_nevertheless() -> None:
    office = Office(patience_s=0.01)
    office.link.holding = True
    assert await office.put("a") is None
    assert await office.put("b") is None
    office.link.let_go()
    await office.box.share()
    assert not office.box.waits
    assert [[event.tags for event in call] for call in office.link.calls] == [[("a",)], [("b",)]]


async def test_sharing_waits_for_what_was_there_and_not_for_what_comes_after_it(tasks: Tasks) -> None:
    office = Office()
    office.link.holding = True
    await office.sent("a")
    sharing = tasks.start(office.box.share(), "share")
    await asyncio.sleep(0)
    later = await office.sent("b")
    office.link.let_go(holding=True)
    await sharing
    assert not later.done()
    office.box.abandon()


async def test_who_shares_learns_of_a_failure(tasks: Tasks) -> None:
    office = Office()
    office.link.away = True
    await office.box.share()
    office.put("a")
    sharing = [tasks.start(office.box.share(), f"share {number}") for number in range(2)]
    for waiting in sharing:
        with pytest.raises(ConnectionError):
            await waiting
    assert not office.failures
    office.box.abandon()


async def test_a_writer_that_fails_takes_nobody_with_it(caplog: pytest.LogCaptureFixture) -> None:
    office = Office()

    def fails(_: Appended | None) -> None:
        raise ValueError

    office.box.add(Invalidation(tags=("a",)), fails, strict=True)
    place = await office.put("b")
    assert place is not None
    assert place.seq == 2
    assert "could not take the place" in caplog.text


async def test_who_waits_at_the_end_is_let_go() -> None:
    office = Office()
    office.link.away = True
    writer = await office.sent("a")
    office.box.abandon()
    assert await writer is None
