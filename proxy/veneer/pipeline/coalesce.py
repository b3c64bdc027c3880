"""One upstream fetch for all who can share it: who leads, who follows, and when waiting is not worth while."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from veneer.core.entry import Entry
from veneer.core.outcome import Reason
from veneer.core.record import fast_struct
from veneer.pipeline.content import BodyCursor, SharedBody
from veneer.ports import Demand, FetchLock, SentTo, UpstreamError, UpstreamResponse

UNCACHEABLE_KEPT_S: Final = 10.0
UNCACHEABLE_LIMIT: Final = 10_000
VARYING_LIMIT: Final = 10_000
MAX_NAMES: Final = 16
"""Names of request fields remembered for one key; one that varies by more starts anew."""


@fast_struct
class Complete:
    """A response that is all there.

    `entry` is for those who waited; `own`, for the leader, has every field that came, also those that are not stored.
    `validated` when a 304 brought it.
    """

    entry: Entry
    own: Entry
    stored: bool
    may_share: bool
    upstream_ms: float
    validated: bool = False
    sent_to: SentTo | None = None


@fast_struct
class Streaming:
    """A storable response whose body is still on its way; the entries have no body yet. `place` is the leader's."""

    entry: Entry
    own: Entry
    body: SharedBody
    length: int | None
    may_share: bool
    upstream_ms: float
    place: BodyCursor
    sent_to: SentTo | None = None


@fast_struct
class Uncacheable:
    """A response for the leader alone, who must close it, and why it is not stored."""

    response: UpstreamResponse
    reason: Reason
    upstream_ms: float


@fast_struct
class OriginError:
    """The backend answered with an error that the stored response may stand in for (RFC 5861 section 4)."""

    status: int
    upstream_ms: float


@fast_struct
class Unreachable:
    """No response."""

    error: UpstreamError


FetchOutcome = Complete | Streaming | Uncacheable | OriginError | Unreachable
"""How a flight ends, known when the response head has arrived."""


class Flight(Demand):
    """One fetch under way, and the `lock` it is made in. The leader flies it, for most alone.

    `followed` tells whether anybody waits, or has waited, for the outcome.
    """

    __slots__ = ("_resolved", "began_s", "followed", "key", "lock", "outcome")

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key
        self.began_s = 0.0
        """When it began (monotonic), where anybody may be shown something else after a while."""
        self.lock: FetchLock | None = None
        self.outcome: FetchOutcome | None = None
        """How it ended; None while under way."""
        self.followed = False
        self._resolved: asyncio.Future[None] | None = None

    def resolve(self, outcome: FetchOutcome) -> None:
        """Tell everybody who waits."""
        if self.outcome is not None:
            return
        self.outcome = outcome
        if self._resolved is not None:
            self._resolved.set_result(None)

    async def wait(self) -> FetchOutcome:
        """Wait for the outcome without owning it: cancelling the waiter does not cancel the flight."""
        while self.outcome is None:
            if self._resolved is None:
                self._resolved = asyncio.get_running_loop().create_future()
                self.followed = True
            await asyncio.shield(self._resolved)
        return self.outcome


class Flights:
    """The fetches under way in this process, by flight key (core.key), and those keys not worth waiting for.

    For cache keys it knows by which request fields their responses vary, so that each variant has its own flight.
    """

    def __init__(self) -> None:
        self._flights: dict[str, Flight] = {}
        self._uncacheable: OrderedDict[str, float] = OrderedDict()
        self._varies: OrderedDict[str, tuple[str, ...]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._flights)

    def varies(self, key: str) -> tuple[str, ...]:
        """The request fields by which responses under a cache key are known to vary, in lower case and order."""
        return self._varies.get(key, ())

    def learn(self, key: str, names: Iterable[str]) -> None:
        """Remember (bounded) that a response under the cache key varied by these request fields."""
        known = self._varies.get(key, ())
        more = frozenset(names).difference(known)
        if not more:
            return
        every = more.union(known)
        self._varies[key] = tuple(sorted(every if len(every) <= MAX_NAMES else more)[:MAX_NAMES])
        self._varies.move_to_end(key)
        while len(self._varies) > VARYING_LIMIT:
            self._varies.popitem(last=False)

    def join(self, key: str) -> Flight | None:
        """The flight under way for `key`, if there is one that can bring something."""
        flight = self._flights.get(key)
        return None if flight is None or flight.dropped else flight

    def open(self, key: str) -> Flight:
        """Begin a flight for `key`; the caller leads and must `close` it on every path."""
        flight = Flight(key)
        self.begin(flight)
        return flight

    def begin(self, flight: Flight) -> None:
        """Let others join the flight; the caller leads and must `close` it on every path."""
        self._flights[flight.key] = flight

    def close(self, flight: Flight) -> None:
        """The flight is over; the next request for its key starts another."""
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]

    def remember_uncacheable(self, key: str, now_s: float) -> None:
        """Remember (bounded, for a while) that waiting for `key` gains nothing. `now_s` is monotonic."""
        self._uncacheable[key] = now_s + UNCACHEABLE_KEPT_S
        self._uncacheable.move_to_end(key)
        while len(self._uncacheable) > UNCACHEABLE_LIMIT:
            self._uncacheable.popitem(last=False)

    def forget_uncacheable(self, key: str) -> None:
        """Forget that `key` was uncacheable."""
        if self._uncacheable:
            self._uncacheable.pop(key, None)

    def is_uncacheable(self, key: str, now_s: float) -> bool:
        """Whether a recent answer for `key` could not be shared. `now_s` is monotonic."""
        until_s = self._uncacheable.get(key)
        if until_s is None:
            return False
        if until_s < now_s:
            del self._uncacheable[key]
            return False
        return True
