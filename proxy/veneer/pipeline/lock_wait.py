"""Which of several nodes fetches what all of them want: the one with the lock. The others wait for what it brings."""

from __future__ import annotations

from veneer.core.entry import Entry
from veneer.core.key import flight_key
from veneer.core.reuse import Hit, decide
from veneer.pipeline.candidates import candidates
from veneer.pipeline.coalesce import Flights
from veneer.pipeline.context import Services
from veneer.pipeline.lost import lost_now
from veneer.pipeline.plan import Plan
from veneer.ports import FetchLock, LockReleased
from veneer.stores.fetch_locks import FreeLock


def flight_group(flights: Flights, plan: Plan) -> str:
    """The key of the flights that may bring what the plan wants, as far as is known now."""
    return flight_key(plan.key, plan.wanted, plan.match.route.cache, flights.varies(plan.key))


class LockWaiter:
    """Waits until this node may fetch, or another has fetched."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def acquire(self, plan: Plan, *, looked: bool) -> FetchLock | Entry:
        """The lock, or the response that another node has fetched while this one waited for it."""
        services = self._services
        deadline = services.clock.monotonic() + plan.match.route.coalesce_wait_s
        again, group, attempt = False, flight_group(services.flights, plan), plan.attempt
        # Where nobody knows whether it holds, nothing stored could be used: there is nothing to wait for.
        while lost_now(services.log, plan.match.route, services.clock) is None:
            stored = None if looked else await self._stored(plan)
            if stored is not None:
                return stored
            left_s = deadline - services.clock.monotonic()
            lock = await services.locks.acquire(plan.key, group, left_s, again=again, attempt=attempt)
            attempt = None
            if not isinstance(lock, LockReleased):
                return lock
            services.flights.learn(plan.key, lock.varies)
            before, group = group, flight_group(services.flights, plan)
            looked, again = False, group == before
        return FreeLock()

    async def _stored(self, plan: Plan) -> Entry | None:
        """What answers the plan from the store by now."""
        services = self._services
        stored = await services.store.lookup(plan.key, plan.wanted, plan.match.route.cache)
        decision = decide(plan.wanted, candidates(services.log, stored), plan.match.route.cache, services.clock.now())
        return decision.entry if isinstance(decision, Hit) else None
