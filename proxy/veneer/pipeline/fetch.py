"""Asking the backend for something that may be stored: lead or follow, judge, fill the store, tell the followers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace

from veneer.core.entry import Entry
from veneer.core.messages import RequestHead, ResponseHead
from veneer.core.reuse import ERROR_STATUSES, Hit, decide
from veneer.core.storability import NotStorable, Storable
from veneer.core.vary import vary_names
from veneer.pipeline.claims import BUSY_STATUS, Refreshes, claim_of, refused_sooner
from veneer.pipeline.coalesce import Complete, FetchOutcome, Flight, OriginError, Streaming, Uncacheable, Unreachable
from veneer.pipeline.content import LateReaderError, NoReadersError, SharedBody
from veneer.pipeline.context import Services
from veneer.pipeline.fill import StoreUpdater
from veneer.pipeline.heeded import Heeded
from veneer.pipeline.lock_wait import LockWaiter, flight_group
from veneer.pipeline.lost import lost_now
from veneer.pipeline.made import FetchedResponse, as_it_came, entry_of, judge_fetched
from veneer.pipeline.mixing import Mixing
from veneer.pipeline.overdue import in_time, may_wait_s, overdue, stale_after_s
from veneer.pipeline.plan import Plan
from veneer.pipeline.unasked import asked_for
from veneer.ports import Client, ClientGoneError, Demand, InterimSink, UpstreamError, UpstreamFailure
from veneer.stores.fetch_locks import FreeLock

READ_WHOLE_BYTES = 128 * 1024
"""A response announced to be at most this long is read before its head is passed on: one write, one stored body."""


class Fetcher:
    """Runs flights. A flight goes on when its leader's client leaves, so that what was fetched is stored.

    The leader flies it itself, and only what is still arriving when it lands goes on in a task of its own.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._filler = StoreUpdater(services)
        self._mixing = Mixing()
        self.refreshes = Refreshes()
        self._lock_waiter = LockWaiter(services)

    async def fetch(self, plan: Plan, client: Client, followed: Flight | None = None) -> tuple[FetchOutcome, bool]:
        """The outcome of a flight for `plan`, and whether it was somebody else's (collapsed).

        The first to ask is the one that it has `followed` so far, where there is one.
        """
        flights = self._services.flights
        group = flight_group(flights, plan)
        looked, alone = followed is None, False
        while plan.coalesce and not self._is_uncacheable(group):
            flight, followed = followed or flights.join(group), None
            if flight is None:
                flight = flights.open(group)
                flight.began_s = self._services.clock.monotonic()
                flight.claim = claim_of(plan, self._services.clock.now())
                flying = self._begun(flight, plan, client, looked=looked, alone=alone)
                return await flying, False
            _spare(plan)
            try:
                outcome = await self._follow(
                    flight, plan, None if alone else may_wait_s(flight, plan, self._services.clock)
                )
            except TimeoutError:
                if self._hides_errors(plan):
                    return overdue(plan.match.route.coalesce_wait_s), True
                # One goes itself, and whoever has waited as long goes on waiting, for that one: a response that does
                # not come must not cost a connection for each who wants it.
                alone = True
                if flights.join(group) is flight:
                    flights.close(flight)
                continue
            if outcome is not None:
                return outcome, True
            # What the flight brought may have told that this request is for another variant: who wants that flies next.
            before, group = group, flight_group(flights, plan)
            if group == before:
                break
            looked = False  # another node may have fetched it while this one waited
        _spare(plan)
        if self._is_uncacheable(group):
            return await self._alone(plan, client), False
        return await self._lead(plan, client), False

    async def _begun(self, flight: Flight, plan: Plan, client: Client, *, looked: bool, alone: bool) -> FetchOutcome:
        """The outcome of a flight that others may join; `alone` says that other nodes have been waited for already."""
        if plan.for_all:
            plan = replace(plan, outgoing=plan.unconditional)
        after_s = stale_after_s(plan, self._services.clock.now())
        interim = client.interim if after_s is None else _ignore  # for the client may be answered by then
        if alone or self._services.locks.alone:
            flying = self._fly(flight, plan, interim)
        else:
            flying = self._fly_with_lock(flight, plan, interim, looked=looked)
        if after_s is not None:
            flying = in_time(flight, flying, after_s, self._services.tasks, self._release)
        return await self._to_the_end(flight, flying, client)

    def _hides_errors(self, plan: Plan) -> bool:
        """Whether something stored may stand in for an error of the backend now."""
        return plan.hides_errors_until > self._services.clock.now()

    def _is_uncacheable(self, group: str) -> bool:
        return self._services.flights.is_uncacheable(group, self._services.clock.monotonic())

    def _learn(self, plan: Plan, head: ResponseHead, verdict: Storable | NotStorable) -> None:
        """Remember by what responses differ, and whether it is worth while to wait for one like this.

        That is remembered for requests like this one: with credentials or without, and of the same variant.
        """
        flights = self._services.flights
        flights.learn(plan.key, vary_names(head.fields) or ())
        group = flight_group(flights, plan)
        if isinstance(verdict, Storable) and verdict.may_share:
            flights.forget_uncacheable(group)
        elif isinstance(verdict, Storable) or verdict.remember:
            flights.remember_uncacheable(group, self._services.clock.monotonic())

    async def take_over(
        self, plan: Plan, flight: Flight, asked: Awaitable[FetchedResponse], client: Client
    ) -> FetchOutcome:
        """The outcome of a flight whose request has been sent already."""
        return await self._to_the_end(flight, self._fly(flight, plan, client.interim, _taken_over(plan, asked)), client)

    def refresh(self, plan: Plan) -> None:
        """Fetch in the background unless somebody does so already or too much goes on."""
        flights, tasks = self._services.flights, self._services.tasks
        group, upstream = flight_group(flights, plan), plan.match.route.upstream
        if tasks.full or flights.join(group) is not None:
            return
        if not self.refreshes.may_begin(upstream, plan.key, self._services.clock.monotonic()):
            return
        flight = flights.open(group)
        flight.claim = self.refreshes.claim(plan)
        tasks.start(self._refresh(flight, plan), f"refresh {plan.key}")

    async def _refresh(self, flight: Flight, plan: Plan) -> None:
        outcome = await self._fly(flight, plan, _ignore)
        self.refreshes.ended(plan.match.route.upstream, outcome, self._services.clock.monotonic())
        self._release(outcome)

    async def _alone(self, plan: Plan, client: Client) -> FetchOutcome:
        """Fetch what was uncacheable a moment ago: nobody waits and nothing is kept, so it may end with its client.

        Where it turns out to be cacheable after all, it goes on as a flight.
        """
        if plan.validating or plan.alike or plan.hides_errors_until or plan.wanted.method != "GET":
            return await self._lead(plan, client)
        try:
            with Heeded(client, plan.match.route.claim) as demand:
                fetched = await self._ask(plan, plan.outgoing, client.interim, demand)
        except UpstreamError as error:
            return Unreachable(error.again())
        verdict = judge_fetched(plan, fetched)
        if isinstance(verdict, NotStorable):
            self._learn(plan, fetched.response.head, verdict)
            return Uncacheable(fetched.response, verdict.reason, fetched.upstream_ms)
        return await self._lead(plan, client, fetched)

    async def _lead(self, plan: Plan, client: Client, fetched: FetchedResponse | None = None) -> FetchOutcome:
        """Fly alone, without anybody who could follow."""
        flight, asked = Flight(plan.key), None if fetched is None else _given(fetched)
        flight.claim = claim_of(plan, self._services.clock.now())
        return await self._to_the_end(flight, self._fly(flight, plan, client.interim, asked), client)

    async def _to_the_end(self, flight: Flight, flying: Awaitable[FetchOutcome], client: Client) -> FetchOutcome:
        """Fly to the outcome although the client may leave. Raises ClientGoneError when it has.

        A flight that nobody waits for any more gives way to others, if the backend is busy.
        """
        client.detach(flight.asker_left)
        try:
            outcome = await flying
        finally:
            left = client.reattach()
        if left:
            self._release(outcome)
            raise ClientGoneError("the client left before the response came")
        if isinstance(outcome, Streaming):
            flight.asker_left()  # and waits on as a reader of the body
        elif isinstance(outcome, Uncacheable):
            flight.join()  # as a client that may have left it had given way to others
        return outcome

    async def _follow(self, flight: Flight, plan: Plan, wait_s: float | None) -> FetchOutcome | None:
        """What the flight brought if it answers this request too; None to fetch alone.

        Raises TimeoutError where it has brought nothing for `wait_s`.
        """
        flight.join()
        try:
            async with asyncio.timeout(wait_s):
                outcome = await flight.wait()
            if isinstance(outcome, Unreachable):
                claim = claim_of(plan, self._services.clock.now())
                return None if refused_sooner(flight, claim, outcome) else outcome
            if isinstance(outcome, OriginError):
                return outcome if self._hides_errors(plan) else None
            return self._share(outcome, plan)
        finally:
            flight.leave()  # and waits on as a reader of the body, if it got one

    def _share(self, outcome: FetchOutcome, plan: Plan) -> FetchOutcome | None:
        """A follower's part of an outcome; None where it may not have one."""
        if not isinstance(outcome, Complete | Streaming) or not outcome.may_share:
            return None
        if not self._answers(outcome.entry, plan):
            return None
        try:
            if isinstance(outcome, Complete):
                return replace(outcome, own=outcome.entry)
            return replace(outcome, own=outcome.entry, place=outcome.body.open())
        except LateReaderError:
            return None

    def _answers(self, entry: Entry, plan: Plan) -> bool:
        """Whether a response fetched for somebody else would be a hit for this request, had it been stored before."""
        # There may be invalidations since that fetch of which this node knows nothing.
        log = self._services.log
        if lost_now(log, plan.match.route, self._services.clock) is not None:
            return False
        found = [(entry, log.validity(entry))]
        return isinstance(decide(plan.wanted, found, plan.match.route.cache, self._services.clock.now()), Hit)

    def _release(self, outcome: FetchOutcome) -> None:
        """Let go of what was meant for somebody who has left."""
        match outcome:
            case Uncacheable(response=response):
                self._services.tasks.start(response.aclose(), "close unclaimed response")
            case Streaming(place=place):
                place.close()

    async def _fly_with_lock(self, flight: Flight, plan: Plan, interim: InterimSink, *, looked: bool) -> FetchOutcome:
        """Fly when no other node is fetching the same; land with what another node has fetched meanwhile.

        `looked` says that the store was asked just now.
        """
        try:
            lock = await self._lock_waiter.acquire(plan, looked=looked)
        except BaseException as error:
            detail = f"the wait for the lock was stopped: {error!r}"
            self._end(flight, Unreachable(UpstreamError(UpstreamFailure.RESET, detail, sent=False)))
            raise
        if isinstance(lock, Entry):
            return self._end(flight, Complete(lock, lock, stored=True, may_share=True, upstream_ms=0.0))
        flight.lock = lock
        return await self._fly(flight, plan, interim)

    async def _fly(
        self, flight: Flight, plan: Plan, interim: InterimSink, asked: Awaitable[FetchedResponse] | None = None
    ) -> FetchOutcome:
        """Fly; `asked` brings the response where the backend has been asked already."""
        fetched: FetchedResponse | None = None
        try:
            fetched = await (asked or self._ask(plan, plan.outgoing, interim, flight))
            outcome = await self._settle(flight, plan, fetched, interim)
        except UpstreamError as error:
            outcome = Unreachable(error.again())
        except BaseException as error:
            detail = f"the fetch was stopped: {error!r}"
            self._end(flight, Unreachable(UpstreamError(UpstreamFailure.RESET, detail, sent=True)))
            if fetched is not None:
                await fetched.response.aclose()
            raise
        if isinstance(outcome, Streaming):
            return outcome
        return self._end(flight, outcome)

    def _end(self, flight: Flight, outcome: FetchOutcome) -> FetchOutcome:
        """Land, and let the next request for the key start another flight, here and on other nodes."""
        flight.resolve(outcome)
        flight.when_unwanted(None)
        self._services.flights.close(flight)
        lock, flight.lock = flight.lock, None
        if lock is not None and not isinstance(lock, FreeLock):
            brought = flight.outcome.entry if isinstance(flight.outcome, Complete | Streaming) else None
            varies = [name for name, _ in brought.vary] if brought is not None else []
            lock.release(stored=brought is not None, varies=varies)
        return outcome

    async def _ask(self, plan: Plan, request: RequestHead, interim: InterimSink, demand: Demand) -> FetchedResponse:
        """Send one request. Raises UpstreamError."""
        services, clock = self._services, self._services.clock
        born = services.log.position
        request_time, started_s = clock.now(), clock.monotonic()
        route = plan.match.route
        upstream = services.upstreams[route.upstream]
        allowed_s = route.read_timeout_s
        response = await upstream.exchange(request, plan.body, interim, read_timeout_s=allowed_s, demand=demand)
        upstream_ms = (clock.monotonic() - started_s) * 1000
        if response.head.status == BUSY_STATUS:
            self.refreshes.heard(plan.key, response.head, clock)
        response = await asked_for(request, response)
        return FetchedResponse(response, request_time, clock.now(), born, upstream_ms)

    async def _settle(self, flight: Flight, plan: Plan, fetched: FetchedResponse, interim: InterimSink) -> FetchOutcome:
        """Decide what the response means for the store, and how the flight lands with it."""
        head = fetched.response.head
        if head.status == 304 and plan.validating:
            await fetched.response.aclose()
            fresh = await self._filler.freshen(plan, fetched, flight.lock)
            if fresh is not None:
                own = replace(fresh.entry, fields=fresh.entry.fields.added(*fresh.personal))
                return Complete(fresh.entry, own, True, True, fetched.upstream_ms, True, fetched.response.sent_to)
            fetched = await self._ask(plan, plan.unconditional, interim, flight)
        elif head.status == 206 and plan.completing is not None:
            entry = await self._filler.complete(plan, plan.completing, fetched)
            if entry is not None:
                return Complete(entry, entry, True, True, fetched.upstream_ms, sent_to=fetched.response.sent_to)
            fetched = await self._ask(plan, plan.unconditional, interim, flight)
        head = fetched.response.head
        if self._hides_errors(plan) and head.status in ERROR_STATUSES:
            await fetched.response.aclose()
            return OriginError(head.status, fetched.upstream_ms)
        if plan.wanted.method == "HEAD":
            entry = await self._filler.update_by_head(plan, fetched)
            if entry is not None:
                await fetched.response.aclose()
                return Complete(entry, entry, True, True, fetched.upstream_ms, sent_to=fetched.response.sent_to)
        verdict = judge_fetched(plan, fetched)
        if plan.alike:
            self._mixing.consider(plan, fetched.response.head, verdict)
            await self._filler.supersede(plan, fetched, verdict)
        self._learn(plan, fetched.response.head, verdict)
        if isinstance(verdict, NotStorable):
            return Uncacheable(fetched.response, verdict.reason, fetched.upstream_ms)
        return await self._take(flight, plan, fetched, verdict)

    async def _take(
        self, flight: Flight, plan: Plan, fetched: FetchedResponse, storable: Storable
    ) -> Complete | Streaming:
        """Receive a storable body; small ones are landed whole, others as they arrive."""
        response = fetched.response
        length = response.content_length
        if length is not None and length <= READ_WHOLE_BYTES:
            pieces = [piece async for piece in response.body()]
            body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            entry, stored = await self._filler.put(plan, entry_of(plan, fetched, storable, body), storable, flight.lock)
            own = as_it_came(entry, response.head.fields, storable)
            return Complete(entry, own, stored, storable.may_share, fetched.upstream_ms, sent_to=response.sent_to)
        shared = SharedBody(plan.match.route.cache.max_body_bytes, self._services.budget, flight)
        entry = entry_of(plan, fetched, storable)
        own = as_it_came(entry, response.head.fields, storable)
        may_share, took_ms = storable.may_share, fetched.upstream_ms
        outcome = Streaming(entry, own, shared, length, may_share, took_ms, shared.open(), response.sent_to)
        flight.resolve(outcome)
        self._services.tasks.start(self._pump(flight, plan, fetched, storable, shared), "receive a body")
        return outcome

    async def _pump(
        self, flight: Flight, plan: Plan, fetched: FetchedResponse, storable: Storable, shared: SharedBody
    ) -> None:
        """Pass the body on while it arrives. It is stored before its end is told: who has it all finds it stored."""
        response = fetched.response
        try:
            async for piece in response.body():
                await shared.append(piece)
            if shared.kept:
                await self._filler.put(plan, entry_of(plan, fetched, storable, shared.whole()), storable, flight.lock)
            shared.end(response.trailers)
        except (UpstreamError, NoReadersError) as error:
            shared.fail(error)
        finally:
            if not shared.ended:
                shared.fail(ConnectionError("the fetch was stopped"))
            shared.close()
            assert flight.outcome is not None
            self._end(flight, flight.outcome)
            await response.aclose()


def _spare(plan: Plan) -> None:
    """Let go of the lock that the look-up took along: who flies with others in this process, or alone, needs none."""
    if plan.attempt is not None:
        plan.attempt.drop()


async def _taken_over(plan: Plan, asked: Awaitable[FetchedResponse]) -> FetchedResponse:
    """What the backend answers to a request that has been sent already."""
    fetched = await asked
    await asked_for(plan.outgoing, fetched.response)
    return fetched


async def _given(fetched: FetchedResponse) -> FetchedResponse:
    """What has been fetched, for whoever waits for it."""
    return fetched


def _ignore(head: object) -> None:
    """Interim responses of a background fetch go nowhere."""
