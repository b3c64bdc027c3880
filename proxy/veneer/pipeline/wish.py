"""The fetch lock that a look-up takes along, so that who finds nothing may fetch at once."""

from __future__ import annotations

from veneer.core.key import flight_key
from veneer.core.messages import RequestHead
from veneer.pipeline.context import Services
from veneer.pipeline.lost import lost_now
from veneer.pipeline.plan import may_coalesce
from veneer.policy.model import Route
from veneer.ports import LockAttempt


class FetchLockWish:
    """Implements `veneer.ports.LockWish` for one request; nothing is worked out before it is asked.

    No lock is wished for what would not wait for one: for who flies alone, or follows a flight of this process.
    """

    __slots__ = ("_key", "_route", "_services", "_wanted", "attempt")

    def __init__(self, services: Services, route: Route, wanted: RequestHead, key: str) -> None:
        self._services = services
        self._route = route
        self._wanted = wanted
        self._key = key
        self.attempt: LockAttempt | None = None

    def __call__(self) -> LockAttempt | None:
        """The lock of the flight that the request would begin."""
        services = self._services
        if services.locks.alone or not may_coalesce(self._route, self._wanted):
            return None
        if lost_now(services.log, self._route, services.clock) is not None:
            return None
        flights = services.flights
        group = flight_key(self._key, self._wanted, self._route.cache, flights.varies(self._key))
        if flights.join(group) is None and not flights.is_uncacheable(group, services.clock.monotonic()):
            self.attempt = services.locks.attempt(self._key, group)
        return self.attempt

    def drop(self) -> None:
        """The lock is not needed, or somebody else has it."""
        if self.attempt is not None:
            self.attempt.drop()
