"""Held locks are told when they are due, by one timer, and not once they were given back."""

from __future__ import annotations

import asyncio

from veneer.stores.extensions import Extensions


class Lock:
    """A lock that keeps count, and says when it was told."""

    def __init__(self) -> None:
        self.told = asyncio.Event()

    def due(self) -> None:
        self.told.set()


async def test_each_is_told_once_when_its_time_has_come() -> None:
    extensions, first, second = Extensions(), Lock(), Lock()
    extensions.add(second, 0.02)
    extensions.add(first, 0.01)
    assert len(extensions) == 2
    await first.told.wait()
    await second.told.wait()
    assert len(extensions) == 0
    second.told.clear()
    extensions.add(second, 0.01)
    await second.told.wait()


async def test_what_was_given_back_is_not_told() -> None:
    extensions, gone, there = Extensions(), Lock(), Lock()
    extensions.add(gone, 0.001)
    extensions.add(there, 0.002)
    extensions.discard(gone)
    extensions.discard(gone)
    await there.told.wait()
    assert not gone.told.is_set()


async def test_one_may_be_added_again_while_others_are_told() -> None:
    extensions = Extensions()

    class Again(Lock):
        def due(self) -> None:
            if not self.told.is_set():
                extensions.add(self, 60.0)  # so late that it cannot have come when it is counted below
            super().due()

    again, other = Again(), Lock()
    extensions.add(again, 0.001)
    extensions.add(other, 0.001)
    await other.told.wait()
    await again.told.wait()
    assert len(extensions) == 1
