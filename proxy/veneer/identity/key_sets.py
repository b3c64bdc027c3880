"""Keys that issuers publish, fetched in the background: no request waits for them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from veneer.core.fields import Fields
from veneer.identity.keys import CheckingKey
from veneer.identity.published import BadKeySetError, published_keys
from veneer.loop.tasks import Tasks
from veneer.policy.model_identity import KeySetPlace
from veneer.ports import Resource, Retriever, UpstreamError

TIMEOUT_S: Final = 10.0
MOST_BYTES: Final = 256 * 1024
LEAST_BETWEEN_S: Final = 10.0
"""Between two fetches of a set, whatever tokens ask for, and after one that failed."""
ASKED_FOR: Final = Fields([("Accept", "application/jwk-set+json, application/json"), ("User-Agent", "veneer")])

logger = logging.getLogger(__name__)
Sleep = Callable[[float], Awaitable[None]]


class KeySet:
    """What is known of the keys at a place: those of the last answer that was a key set."""

    def __init__(self, place: KeySetPlace) -> None:
        self.place: Final = place
        self.keys: tuple[CheckingKey, ...] = ()
        self.failing = False
        self._wanted = asyncio.Event()

    def missed(self, key_id: str) -> None:
        """A token names a key: have the keys fetched if it is none of these."""
        if all(key.key_id != key_id for key in self.keys):
            self._wanted.set()

    async def wanted(self, most_s: float) -> None:
        """Wait until the keys are to be fetched again, so long at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(most_s):
                await self._wanted.wait()
        self._wanted.clear()


@dataclass(slots=True)
class KeySetCounts:
    """Fetches by what came of them."""

    fetched: int = 0
    failed: int = 0


class KeySets:
    """The key sets of the policy in force. `changed` hears whenever keys have come or gone."""

    def __init__(
        self, retriever: Retriever, tasks: Tasks, changed: Callable[[], None], sleep: Sleep = asyncio.sleep
    ) -> None:
        self._retriever = retriever
        self._tasks = tasks
        self._changed = changed
        self._sleep = sleep
        self._sets: dict[KeySetPlace, tuple[KeySet, asyncio.Task[None]]] = {}
        self.counts = KeySetCounts()

    def apply(self, places: Iterable[KeySetPlace]) -> None:
        """Have exactly these fetched from now on. What is known of those that stay is kept."""
        wanted = dict.fromkeys(places)
        for place in [place for place in self._sets if place not in wanted]:
            self._sets.pop(place)[1].cancel()
        for place in wanted:
            if place not in self._sets:
                known = KeySet(place)
                self._sets[place] = (known, self._tasks.start(self.keep(known), f"fetch the keys of {place}"))

    def at(self, places: Iterable[KeySetPlace]) -> tuple[KeySet, ...]:
        """The sets at these places, which were applied."""
        return tuple([self._sets[place][0] for place in places])

    async def keep(self, known: KeySet) -> None:
        """Fetch a set for ever."""
        refresh_s = known.place.refresh_s
        pause_s = min(LEAST_BETWEEN_S, refresh_s)
        while True:
            await self.fetch(known)
            await self._sleep(pause_s)
            if not known.failing:
                await known.wanted(refresh_s - pause_s)

    async def fetch(self, known: KeySet) -> None:
        """Fetch a set once. Where that fails the keys stay as they are."""
        try:
            keys = await self._fetched(known.place)
        except (UpstreamError, BadKeySetError) as error:
            self.counts.failed += 1
            if not known.failing:
                logger.warning("%s: %s; the %d keys known go on", known.place, error, len(known.keys))
            known.failing = True
            return
        self.counts.fetched += 1
        if known.failing or keys != known.keys:
            logger.info("%s: %d keys to check tokens by", known.place, len(keys))
        known.failing = False
        if keys != known.keys:
            known.keys = keys
            self._changed()

    async def _fetched(self, place: KeySetPlace) -> tuple[CheckingKey, ...]:
        resource = Resource(place.origin, place.target, place.ca)
        answer = await self._retriever.get(resource, ASKED_FOR, TIMEOUT_S, MOST_BYTES)
        if answer.status != 200:
            msg = f"the answer has the status {answer.status}"
            raise BadKeySetError(msg)
        return published_keys(answer.body)
