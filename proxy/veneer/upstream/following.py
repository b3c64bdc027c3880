"""Names that lead to several targets, followed as they change."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from veneer.loop.tasks import Tasks
from veneer.ports import Clock
from veneer.upstream.services import Destination, MissingResolverError, NameAnswer
from veneer.upstream.target import SetRules, UpstreamTarget
from veneer.upstream.targets import TargetSet

logger = logging.getLogger(__name__)

MOST_TARGETS: Final = 64
"""Of one name. A longer answer is cut, always at the same place."""
LEAST_S: Final = 1.0
"""No name is asked for more often, whatever its records say."""

LookUp = Callable[[], Awaitable[NameAnswer]]
"""Where a name leads now. Raises OSError or UnicodeError where there is no answer, MissingResolverError."""
MakeTarget = Callable[[Destination], UpstreamTarget]


class FollowedName:
    """A name, and the targets that it leads to by its last answer.

    One that is empty or fails changes nothing; the log tells of it once, and of the next that is neither.
    """

    def __init__(self, name: str, look_up: LookUp, make: MakeTarget) -> None:
        self._name = name
        self._look_up = look_up
        self._make = make
        self._known: dict[tuple[str, int], UpstreamTarget] = {}
        self._away = False

    def __str__(self) -> str:
        return self._name

    @property
    def targets(self) -> list[UpstreamTarget]:
        """Those that it leads to."""
        return list(self._known.values())

    async def ask(self, now_s: Callable[[], float]) -> float | None:
        """Ask where it leads; for how long that holds, None where nobody has said so.

        Targets beside others that were there before begin slowly.
        """
        try:
            places, ttl_s = await self._look_up()
        except (OSError, UnicodeError, MissingResolverError) as error:
            self._is_away(str(error))
            return None
        if not places:
            self._is_away("an empty answer")
            return ttl_s
        before = self._known
        self._known = {}
        for place in sorted(set(places))[:MOST_TARGETS]:
            where = (place.at, place.port)
            target = before.get(where)
            if target is None:
                target = self._make(place)
                if before:
                    target.load.back_s = now_s()
            target.load.weight, target.load.rank = place.weight, place.rank
            self._known[where] = target
        if self._away or self._known.keys() != before.keys():
            self._away = False
            logger.info("%s leads to %s", self, ", ".join(map(str, self._known.values())))
        return ttl_s

    def _is_away(self, reason: str) -> None:
        if not self._away:
            self._away = True
            what = "its last targets are used" if self._known else "it has no targets yet"
            logger.warning("%s cannot be looked up, %s: %s", self, what, reason)


class FollowedTargets(TargetSet):
    """The targets of an upstream of which some, at least, are where names lead to: a set that changes with them."""

    def __init__(
        self,
        parts: Sequence[UpstreamTarget | FollowedName],
        rules: SetRules,
        every_s: float,
        clock: Clock,
        tasks: Tasks,
    ) -> None:
        """Ask for the names from now on: every `every_s`, or sooner where an answer says that it holds for less."""
        fixed = [part for part in parts if isinstance(part, UpstreamTarget)]
        super().__init__(fixed, rules, clock, tasks)
        self._parts = parts
        self._every_s = every_s
        names = [part for part in parts if isinstance(part, FollowedName)]
        self._following = [tasks.start(self._follow(name), f"follow {name}") for name in names]

    async def aclose(self) -> None:
        """Follow no more, and close them all."""
        for task in self._following:
            task.cancel()
        await super().aclose()

    async def _follow(self, name: FollowedName) -> None:
        while True:
            ttl_s = await name.ask(self.monotonic)
            self.become([target for part in self._parts for target in _targets(part)])
            await asyncio.sleep(self._every_s if ttl_s is None else max(min(ttl_s, self._every_s), LEAST_S))


def _targets(part: UpstreamTarget | FollowedName) -> list[UpstreamTarget]:
    return [part] if isinstance(part, UpstreamTarget) else part.targets
