"""Followers come and go with the policy."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from tests.support.change_source import PlayedSource
from tests.support.shared_log import until
from veneer.changes.follower import FollowerState
from veneer.changes.followers import Followers
from veneer.loop.clock import SystemClock
from veneer.loop.tasks import Tasks
from veneer.policy.model_changes import ChangeSettings, PostgresRules
from veneer.ports import ChangeSource
from veneer.stores.memory_log import MemoryLog

ONE = ChangeSettings("one", PostgresRules("postgresql://db/one"), ())
TWO = replace(ONE, name="two")


async def test_a_source_is_followed_from_the_policy_that_names_it_to_the_one_that_does_not() -> None:
    clock, tasks = SystemClock(), Tasks()
    opened: list[PlayedSource] = []

    def open_played(settings: ChangeSettings) -> ChangeSource:
        source = PlayedSource()
        source.name = settings.name
        opened.append(source)
        return source

    followers = Followers(MemoryLog(clock).sources, clock, tasks, open_played, 2.0)
    followers.apply((ONE,))
    first = followers["one"]
    await until(lambda: first.state is FollowerState.READING)
    followers.apply((ONE, TWO))
    assert followers["one"] is first
    await until(lambda: followers["two"].state is FollowerState.READING)
    followers.apply((replace(ONE, max_lag_s=4.0),))
    assert list(followers) == ["one"]
    assert followers["one"] is not first
    await until(lambda: [source.closed for source in opened] == [1, 1, 0])
    await until(lambda: opened[2].opened == 1)
    await followers.aclose()
    assert (len(followers), opened[2].closed) == (0, 1)
    await tasks.aclose()
    await asyncio.sleep(0)
