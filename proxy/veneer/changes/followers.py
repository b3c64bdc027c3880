"""The sources of the policy in force, each with its follower, kept while its settings stay the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping

from veneer.changes.follower import Follower, FollowerSettings
from veneer.loop.tasks import Tasks
from veneer.policy.model_changes import ChangeSettings
from veneer.ports import ChangeSource, Clock, SourceLog

Opener = Callable[[ChangeSettings], ChangeSource]


class Followers(Mapping[str, Follower]):
    """Followers by the names of their sources."""

    def __init__(self, log: SourceLog, clock: Clock, tasks: Tasks, opener: Opener, claim_s: float) -> None:
        self._log, self._clock, self._tasks, self._opener, self._claim_s = log, clock, tasks, opener, claim_s
        self._running: dict[str, tuple[ChangeSettings, Follower, asyncio.Task[None]]] = {}

    def __getitem__(self, name: str) -> Follower:
        return self._running[name][1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._running)

    def __len__(self) -> int:
        return len(self._running)

    def apply(self, wanted: tuple[ChangeSettings, ...]) -> None:
        """Follow exactly the `wanted` sources, less those whose events are posted."""
        wanted = tuple(one for one in wanted if not one.is_posted)
        before = self._running
        same = {one.name: before[one.name] for one in wanted if one.name in before and before[one.name][0] == one}
        for name, (_, _, task) in before.items():
            if name not in same:
                task.cancel()
        self._running = {one.name: same[one.name] if one.name in same else self._begin(one) for one in wanted}

    def _begin(self, settings: ChangeSettings) -> tuple[ChangeSettings, Follower, asyncio.Task[None]]:
        bounds = FollowerSettings(settings.max_lag_s, self._claim_s)
        follower = Follower(self._opener(settings), settings.key, self._log, self._clock, bounds)
        return settings, follower, self._tasks.start(follower.run(), f"follow the changes of {settings.name}")

    async def aclose(self) -> None:
        """Follow none any more, and let other nodes do so."""
        tasks = [task for _, _, task in self._running.values()]
        self._running = {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
