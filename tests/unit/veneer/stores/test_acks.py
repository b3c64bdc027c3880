"""The writer's side: who has applied an event, and whose lease had to run out."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.entries import FakeClock
from veneer.stores.acks import Acknowledgements, AckOutcome, Live


async def waited(acks: Acknowledgements, epoch_ms: int, seq: int, live: Live) -> AckOutcome:
    """What a writer learns."""
    outcome: asyncio.Future[AckOutcome] = asyncio.get_running_loop().create_future()
    acks.when(epoch_ms, seq, live, outcome.set_result)
    return await outcome


async def test_an_acknowledgement_that_came_before_the_question_counts() -> None:
    acks = Acknowledgements(FakeClock())
    acks.heard("b", 1, 7)
    outcome = await waited(acks, 1, 7, (("b", 2.0),))
    assert (outcome.acknowledged, outcome.expired) == (("b",), ())


async def test_an_older_acknowledgement_does_not_count_whatever_comes_after_it() -> None:
    clock = FakeClock()
    acks = Acknowledgements(clock)
    acks.heard("b", 1, 9)
    acks.heard("b", 1, 6)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(waited(acks, 2, 1, (("b", 2.0), ("c", 2.0))))
        await asyncio.sleep(0)
        acks.heard("b", 2, 0)
        acks.heard("c", 2, 1)
        await asyncio.sleep(0)
        assert not waiting.done()
        acks.heard("b", 2, 5)
    assert waiting.result().acknowledged == ("b", "c")


async def test_a_lease_that_is_over_is_not_waited_for() -> None:
    outcome = await waited(Acknowledgements(FakeClock()), 1, 1, (("b", 0.0), ("c", 0.0)))
    assert (outcome.acknowledged, outcome.expired) == ((), ("b", "c"))


async def test_nobody_to_wait_for() -> None:
    outcome = await waited(Acknowledgements(FakeClock()), 1, 1, ())
    assert (outcome.acknowledged, outcome.expired) == ((), ())


async def test_one_that_is_late_is_waited_for_until_its_lease_is_over() -> None:
    clock = FakeClock()
    acks = Acknowledgements(clock)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(waited(acks, 1, 1, (("b", 0.01), ("c", 0.02))))
        await asyncio.sleep(0)
        acks.heard("c", 1, 1)
        clock.at += 0.01
    assert (waiting.result().acknowledged, waiting.result().expired) == (("c",), ("b",))


async def test_a_writer_that_fails_takes_nobody_with_it(caplog: pytest.LogCaptureFixture) -> None:
    acks = Acknowledgements(FakeClock())

    def fails(_: AckOutcome) -> None:
        raise ValueError

    acks.when(1, 1, (("b", 5.0),), fails)
    told: list[AckOutcome] = []
    acks.when(1, 1, (("b", 5.0),), told.append)
    acks.heard("b", 1, 1)
    assert told[0].acknowledged == ("b",)
    assert "could not take who" in caplog.text


async def test_once_it_is_closed_nobody_is_told() -> None:
    acks = Acknowledgements(FakeClock())
    told: list[AckOutcome] = []
    acks.when(1, 1, (("b", 0.0), ("c", 5.0)), told.append)
    acks.close()
    acks.heard("c", 1, 1)
    assert not told
