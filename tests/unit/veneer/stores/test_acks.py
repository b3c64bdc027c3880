"""The writer's side: who has applied an event, and whose lease had to run out."""

from __future__ import annotations

import asyncio

from tests.support.entries import FakeClock
from veneer.stores.acks import Acknowledgements


async def test_an_acknowledgement_that_came_before_the_question_counts() -> None:
    acks = Acknowledgements(FakeClock())
    acks.heard("b", 1, 7)
    outcome = await acks.wait(1, 7, (("b", 2.0),))
    assert (outcome.acknowledged, outcome.expired) == (("b",), ())


async def test_an_older_acknowledgement_does_not_count_whatever_comes_after_it() -> None:
    clock = FakeClock()
    acks = Acknowledgements(clock)
    acks.heard("b", 1, 9)
    acks.heard("b", 1, 6)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(acks.wait(2, 1, (("b", 2.0), ("c", 2.0))))
        await asyncio.sleep(0)
        acks.heard("b", 2, 0)
        acks.heard("c", 2, 1)
        await asyncio.sleep(0)
        assert not waiting.done()
        acks.heard("b", 2, 5)
    assert waiting.result().acknowledged == ("b", "c")


async def test_a_lease_that_is_over_is_not_waited_for() -> None:
    outcome = await Acknowledgements(FakeClock()).wait(1, 1, (("b", 0.0), ("c", 0.0)))
    assert (outcome.acknowledged, outcome.expired) == ((), ("b", "c"))


async def test_nobody_to_wait_for() -> None:
    outcome = await Acknowledgements(FakeClock()).wait(1, 1, ())
    assert (outcome.acknowledged, outcome.expired) == ((), ())
