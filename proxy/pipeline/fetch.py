"""Asking the backend for something that may be stored: lead or follow, judge, fill the store, tell the followers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from dataclasses import replace

from proxy.core.entry import Entry
from proxy.core.invalidation import Validity
from proxy.core.key import covers
from proxy.core.messages import RequestHead
from proxy.core.reuse import Hit, decide
from proxy.core.storability import NotStorable, Storable
from proxy.core.vary import matches
from proxy.pipeline.coalesce import Arriving, Erred, Failed, Flight, Landing, Private, Whole
from proxy.pipeline.content import LateReaderError, NobodyReadsError, SharedBody
from proxy.pipeline.context import Services
from proxy.pipeline.fill import Fetched, Filler, Plan, as_it_came
from proxy.ports import InterimSink, Standing, Turn, UpstreamError, UpstreamFailure
from proxy.stores.turns import FreeTurn

READ_WHOLE_BYTES = 128 * 1024
"""A response announced to be at most this long is read before its head is passed on: one write, one stored body."""

ERROR_STATUSES = frozenset({500, 502, 503, 504})
"""Statuses that stale-if-error replaces (RFC 5861 section 4)."""


async def once(data: bytes) -> AsyncIterator[bytes]:
    """A body that is at hand."""
    yield data


class Fetcher:
    """Runs flights. A flight goes on when its leader leaves, so that what was fetched is stored."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._filler = Filler(services)

    async def fetch(self, plan: Plan, interim: InterimSink) -> tuple[Landing, bool]:
        """The landing of a flight for `plan`, and whether it was somebody else's (collapsed)."""
        flights = self._services.flights
        if flights.is_uncacheable(plan.key, self._services.clock.monotonic()):
            return await self._alone(plan, interim), False
        if not plan.coalesce:
            return await self._lead(Flight(plan.key), plan, interim), False
        flight = flights.join(plan.key)
        if flight is None:
            flight = flights.open(plan.key)
            return await self._await_own(flight, self._fly_in_turn(flight, plan, interim)), False
        landing = await self._follow(flight, plan)
        if landing is not None:
            return landing, True
        return await self._lead(Flight(plan.key), plan, interim), False

    def refresh(self, plan: Plan) -> None:
        """Fetch in the background unless somebody does so already or too much goes on."""
        flights, tasks = self._services.flights, self._services.tasks
        if tasks.full or flights.join(plan.key) is not None:
            return
        flight = flights.open(plan.key)
        flight.abandon(self._release)
        tasks.start(self._fly(flight, plan, _ignore), f"refresh {plan.key}")

    async def _alone(self, plan: Plan, interim: InterimSink) -> Landing:
        """Fetch what was uncacheable a moment ago: nobody waits and nothing is kept, so it may end with its client.

        Where it turns out to be cacheable after all, it goes on as a flight.
        """
        if plan.validating or plan.completing is not None or plan.hides_errors or plan.wanted.method != "GET":
            return await self._lead(Flight(plan.key), plan, interim)
        try:
            fetched = await self._ask(plan, plan.outgoing, interim)
        except UpstreamError as error:
            return Failed(error)
        verdict = self._filler.judge(plan, fetched)
        if isinstance(verdict, NotStorable):
            if verdict.remember:
                self._services.flights.mark_uncacheable(plan.key, self._services.clock.monotonic())
            return Private(fetched.response, verdict.reason, fetched.upstream_ms)
        return await self._lead(Flight(plan.key), plan, interim, fetched)

    async def _lead(self, flight: Flight, plan: Plan, interim: InterimSink, fetched: Fetched | None = None) -> Landing:
        return await self._await_own(flight, self._fly(flight, plan, interim, fetched))

    async def _await_own(self, flight: Flight, flying: Coroutine[object, object, None]) -> Landing:
        self._services.tasks.start(flying, "fetch")
        try:
            return await flight.wait()
        except asyncio.CancelledError:
            flight.abandon(self._release)
            raise

    async def _follow(self, flight: Flight, plan: Plan) -> Landing | None:
        """What the flight brought if it answers this request too; None to fetch alone."""
        try:
            async with asyncio.timeout(plan.match.route.coalesce_wait_s):
                landing = await flight.wait()
        except TimeoutError:
            return None
        if isinstance(landing, Failed | Erred):
            return landing
        return self._share(landing, plan)

    def _share(self, landing: Landing, plan: Plan) -> Landing | None:
        """A follower's part of a landing; None where it may not have one."""
        if not isinstance(landing, Whole | Arriving) or not landing.may_share:
            return None
        if not self._answers(landing.entry, plan):
            return None
        try:
            if isinstance(landing, Whole):
                return replace(landing, own=landing.entry)
            return replace(landing, own=landing.entry, place=landing.body.open())
        except LateReaderError:
            return None

    def _answers(self, entry: Entry, plan: Plan) -> bool:
        """Whether a response fetched for somebody else matches, and nothing has invalidated it since."""
        rules = plan.match.route.cache
        if not (matches(entry, plan.wanted, rules) and covers(entry, plan.wanted, rules.key)):
            return False
        # Without a lease there may be invalidations since that fetch of which this node knows nothing.
        log = self._services.log
        return log.standing() is Standing.LEADING and log.validity(entry) is Validity.VALID

    def _release(self, landing: Landing) -> None:
        """Let go of what was meant for a leader who has left."""
        match landing:
            case Private(response=response):
                self._services.tasks.start(response.aclose(), "close unclaimed response")
            case Arriving(place=place):
                place.close()

    async def _fly_in_turn(self, flight: Flight, plan: Plan, interim: InterimSink) -> None:
        """Fly when no other node is fetching the same; land with what another node has fetched meanwhile."""
        try:
            turn = await self._turn(plan)
        except BaseException as error:
            detail = f"the wait for a turn was stopped: {error!r}"
            flight.land(Failed(UpstreamError(UpstreamFailure.RESET, detail, sent=False)))
            self._services.flights.close(flight)
            raise
        if isinstance(turn, Entry):
            flight.land(Whole(turn, turn, stored=True, may_share=True, upstream_ms=0.0))
            self._services.flights.close(flight)
            return
        try:
            await self._fly(flight, plan, interim)
        finally:
            await turn.done(stored=isinstance(flight.landing, Whole | Arriving))

    async def _turn(self, plan: Plan) -> Turn | Entry:
        """The turn to fetch, or the response that another node has fetched while this one waited for its turn."""
        services = self._services
        deadline = services.clock.monotonic() + plan.match.route.coalesce_wait_s
        again = False
        # Without a lease nothing stored could be used: there is nothing to wait for.
        while services.log.standing() is Standing.LEADING:
            turn = await services.turns.take(plan.key, deadline - services.clock.monotonic(), again=again)
            if turn is not None:
                return turn
            stored = await services.store.lookup(plan.key, plan.wanted)
            valid = [(entry, v) for entry in stored if (v := services.log.validity(entry)) is not Validity.DEAD]
            decision = decide(plan.wanted, valid, plan.match.route.cache, services.clock.now())
            if isinstance(decision, Hit):
                return decision.entry
            again = True
        return FreeTurn()

    async def _fly(self, flight: Flight, plan: Plan, interim: InterimSink, fetched: Fetched | None = None) -> None:
        try:
            if fetched is None:
                fetched = await self._ask(plan, plan.outgoing, interim)
            await self._settle(flight, plan, fetched, interim)
        except UpstreamError as error:
            flight.land(Failed(error))
        except BaseException as error:
            if fetched is not None and flight.landing is None:
                await fetched.response.aclose()
            flight.land(Failed(UpstreamError(UpstreamFailure.RESET, f"the fetch was stopped: {error!r}", sent=True)))
            raise
        finally:
            self._services.flights.close(flight)

    async def _ask(self, plan: Plan, request: RequestHead, interim: InterimSink) -> Fetched:
        """Send one request. Raises UpstreamError."""
        services = self._services
        born = services.log.position
        request_time, started_s = services.clock.now(), services.clock.monotonic()
        body = None if plan.body is None else once(plan.body)
        route = plan.match.route
        upstream = services.upstreams[route.upstream]
        response = await upstream.exchange(request, body, interim, read_timeout_s=route.read_timeout_s)
        upstream_ms = (services.clock.monotonic() - started_s) * 1000
        return Fetched(response, request_time, services.clock.now(), born, upstream_ms)

    async def _settle(self, flight: Flight, plan: Plan, fetched: Fetched, interim: InterimSink) -> None:
        """Decide what the response means for the store, and land."""
        head = fetched.response.head
        if head.status == 304 and plan.validating:
            await fetched.response.aclose()
            fresh = await self._filler.freshen(plan, fetched)
            if fresh is not None:
                own = replace(fresh.entry, fields=fresh.entry.fields.added(*fresh.personal))
                flight.land(Whole(fresh.entry, own, True, True, fetched.upstream_ms, validated=True))
                return
            fetched = await self._ask(plan, plan.unconditional, interim)
        elif head.status == 206 and plan.completing is not None:
            entry = await self._filler.complete(plan, plan.completing, fetched)
            if entry is not None:
                flight.land(Whole(entry, entry, True, True, fetched.upstream_ms))
                return
            fetched = await self._ask(plan, plan.unconditional, interim)
        head = fetched.response.head
        if plan.hides_errors and head.status in ERROR_STATUSES:
            await fetched.response.aclose()
            flight.land(Erred(head.status, fetched.upstream_ms))
            return
        if plan.wanted.method == "HEAD":
            entry = await self._filler.update_by_head(plan, fetched)
            if entry is not None:
                await fetched.response.aclose()
                flight.land(Whole(entry, entry, True, True, fetched.upstream_ms))
                return
        verdict = self._filler.judge(plan, fetched)
        if isinstance(verdict, NotStorable):
            if verdict.remember:
                self._services.flights.mark_uncacheable(plan.key, self._services.clock.monotonic())
            flight.land(Private(fetched.response, verdict.reason, fetched.upstream_ms))
            return
        self._services.flights.mark_cacheable(plan.key)
        await self._take(flight, plan, fetched, verdict)

    async def _take(self, flight: Flight, plan: Plan, fetched: Fetched, storable: Storable) -> None:
        """Receive a storable body; small ones are landed whole, others as they arrive."""
        response = fetched.response
        length = response.content_length
        if length is not None and length <= READ_WHOLE_BYTES:
            pieces = [piece async for piece in response.body()]
            body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            entry, stored = await self._filler.put(plan, self._filler.entry(plan, fetched, storable, body), storable)
            own = as_it_came(entry, response.head.fields, storable)
            flight.land(Whole(entry, own, stored, storable.may_share, fetched.upstream_ms))
            return
        shared = SharedBody(plan.match.route.cache.max_body_bytes, self._services.budget)
        entry = self._filler.entry(plan, fetched, storable)
        own = as_it_came(entry, response.head.fields, storable)
        flight.land(Arriving(entry, own, shared, length, storable.may_share, fetched.upstream_ms, shared.open()))
        await self._pump(plan, fetched, storable, shared)

    async def _pump(self, plan: Plan, fetched: Fetched, storable: Storable, shared: SharedBody) -> None:
        """Pass the body on while it arrives. It is stored before its end is told: who has it all finds it stored."""
        response = fetched.response
        try:
            async for piece in response.body():
                await shared.append(piece)
            if shared.kept:
                await self._filler.put(plan, self._filler.entry(plan, fetched, storable, shared.whole()), storable)
            shared.end(response.trailers)
        except (UpstreamError, NobodyReadsError) as error:
            shared.fail(error)
        finally:
            if not shared.ended:
                shared.fail(ConnectionError("the fetch was stopped"))
            shared.close()
            await response.aclose()


def _ignore(head: object) -> None:
    """Interim responses of a background fetch go nowhere."""
