"""How many requests may be at a backend, and who is there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from veneer.core.concurrency import ConcurrencyLimit
from veneer.core.overload import Claim, Pace, Priority
from veneer.upstream.settings import PoolSettings

RESERVED_FOR_S: Final = 60.0
"""So long after a critical request the reserve is kept for the next one."""

MAX_COUNTS: Final = 256
"""Routes counted at most of which nothing is at the backend: those of policies past are let go of."""

MIXED_FOR_S: Final = 10.0
"""So long after requests have come for several routes each is held to its share."""


class RouteCount:
    """How many requests of one route are at the backend."""

    __slots__ = ("count", "route")

    def __init__(self, route: str) -> None:
        self.route: Final = route
        self.count = 0


class Place:
    """A place at the backend, from admission to the final head of the response.

    `sent_s` is when the request was sent whole, 0 where that is not known; `among` how many were there then, and
    `alike` counts those of its route.
    """

    __slots__ = ("alike", "among", "sent_s")

    def __init__(self, alike: RouteCount, among: int, sent_s: float) -> None:
        self.alike: Final = alike
        self.among = among
        self.sent_s = sent_s


@dataclass(frozen=True, slots=True)
class Load:
    """How a backend stands: its places, those in use, how many wait for one, and how many were refused so far.

    `streams` are tunnels and streams; `connections` are all others, idle ones included.
    """

    limit: int = 0
    in_use: int = 0
    waiting: int = 0
    refused: int = 0
    connections: int = 0
    max_connections: int = 0
    streams: int = 0
    max_streams: int = 0

    def __add__(self, other: Load) -> Load:
        """Both together."""
        return Load(
            self.limit + other.limit,
            self.in_use + other.in_use,
            self.waiting + other.waiting,
            self.refused + other.refused,
            self.connections + other.connections,
            self.max_connections + other.max_connections,
            self.streams + other.streams,
            self.max_streams + other.max_streams,
        )


class Gate:
    """The places at one backend. Without `adaptive` there are as many as connections."""

    def __init__(self, settings: PoolSettings) -> None:
        most, rules = settings.max_connections, settings.concurrency
        self._most = most
        self._limit = ConcurrencyLimit(most, rules.least) if rules.adaptive else None
        self._route_share = rules.route_share
        self._critical_share = rules.critical_share
        self._critical_s = self._mixed_s = -math.inf
        self._last: RouteCount | None = None
        self._by_route: dict[str, RouteCount] = {}
        self.pace = Pace()
        self.in_use = 0

    @property
    def limit(self) -> int:
        """How many may be there now."""
        return self._most if self._limit is None else self._limit.limit

    @property
    def calm_s(self) -> float:
        """How long the quickest kind of requests takes while the backend is calm; 0 where that is not known."""
        return 0.0 if self._limit is None else self._limit.calm_s()

    @property
    def counted(self) -> int:
        """Of how many routes there is a count."""
        return len(self._by_route)

    def admits(self, claim: Claim, now_s: float) -> bool:
        """Whether there is a place for one more.

        A share of all is kept for critical ones, and where requests come for several routes none gets more than its
        share: what hangs would else have them all before the others come.
        """
        limit = self._most if self._limit is None else self._limit.limit
        if now_s - self._mixed_s < MIXED_FOR_S:
            alike = self._by_route.get(claim.route)
            if alike is not None and alike.count >= limit * self._route_share:
                return False
        if claim.priority is Priority.CRITICAL:
            self._critical_s = now_s
        elif now_s - self._critical_s < RESERVED_FOR_S:
            limit = max(limit - math.ceil(limit * self._critical_share), 1)
        return self.in_use < limit

    def enter(self, claim: Claim, now_s: float) -> Place:
        """Take a place, for a request that is sent now."""
        alike = self._last
        if alike is None or claim.route != alike.route:
            alike = self._saw(claim.route, now_s)
        self.in_use += 1
        alike.count += 1
        return Place(alike, self.in_use, now_s)

    def answered(self, place: Place, now_s: float) -> None:
        """The final head is here."""
        self.leave(place)
        self.pace.count(now_s)
        if self._limit is not None and place.sent_s:
            self._limit.answered(place.alike.route, now_s - place.sent_s, place.among, now_s)

    def leave(self, place: Place) -> None:
        """The request is there no more; of the backend's latency that tells nothing."""
        self.in_use -= 1
        place.alike.count -= 1

    def reached(self, claim: Claim, now_s: float) -> bool:
        """Somebody has to wait for a place; whether there are more of them for that."""
        if self._last is None or claim.route != self._last.route:
            self._saw(claim.route, now_s)
        return self.still_reached(now_s)

    def still_reached(self, now_s: float) -> bool:
        """As `reached`, of who waits already."""
        return self._limit is not None and self._limit.reached(now_s)

    def _saw(self, route: str, now_s: float) -> RouteCount:
        """Another route than before: its count. Of those of which nothing is there only some are kept."""
        if self._last is not None:
            self._mixed_s = now_s
        alike = self._by_route.get(route)
        if alike is None:
            if len(self._by_route) >= MAX_COUNTS:
                self._by_route = {name: one for name, one in self._by_route.items() if one.count}
            alike = self._by_route[route] = RouteCount(route)
        self._last = alike
        return alike
