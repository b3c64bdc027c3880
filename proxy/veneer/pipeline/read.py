"""Requests that the cache may answer: look up, decide, act."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from veneer.core.entry import Entry
from veneer.core.invalidation import Validity
from veneer.core.key import cache_key
from veneer.core.messages import ResponseHead
from veneer.core.outcome import CacheStatus, Forward, Reason
from veneer.core.reuse import (
    Candidate,
    Decision,
    GatewayTimeout,
    Hit,
    Miss,
    PartialMiss,
    Revalidate,
    ServeStale,
    decide,
    wants_its_own,
)
from veneer.core.sharing import passes
from veneer.pipeline.answer import Answer, StoredBody, StreamBody, no_trailers
from veneer.pipeline.audit import Auditor
from veneer.pipeline.begun import FollowedMiss, SentMiss
from veneer.pipeline.candidates import candidates
from veneer.pipeline.coalesce import Complete, FetchOutcome, OriginError, Streaming, Uncacheable, Unreachable
from veneer.pipeline.context import Exchange, Services, cache_request
from veneer.pipeline.exchange import CacheResult, Refusal
from veneer.pipeline.fetch import Fetcher
from veneer.pipeline.forward import private_answer
from veneer.pipeline.lost import Lost, LostRead, lost_now
from veneer.pipeline.plan import CacheLookup, Plan, plan_of
from veneer.pipeline.refuse import REFUSED_HERE, refuse, upstream_failed
from veneer.pipeline.wish import FetchLockWish
from veneer.policy.model import Route
from veneer.ports import SentTo

Undone = ServeStale | GatewayTimeout | Revalidate | PartialMiss
"""Decisions that are neither hit nor miss."""


class CacheHandler:
    """Answers GET, HEAD and QUERY, from the store where the core allows it."""

    def __init__(self, services: Services, fetcher: Fetcher) -> None:
        self._services = services
        self._fetcher = fetcher
        self._auditor = Auditor(services)

    async def answer(self, exchange: Exchange, body: bytes | None = None, body_digest: str | None = None) -> Answer:
        """The answer to a request that may be looked up. `body` and its digest belong to QUERY."""
        looked, route = self._lookup_of(exchange, body, body_digest), exchange.match.route
        lost = lost_now(self._services.log, route, self._services.clock)
        if self._services.locks.alone:
            return await self._answer(exchange, looked, await self._candidates(route, looked, None, lost), lost)
        wish = FetchLockWish(self._services, route, looked.wanted, looked.key)
        try:
            stored = await self._candidates(route, looked, wish, lost)
            return await self._answer(exchange, replace(looked, attempt=wish.attempt), stored, lost)
        finally:
            wish.drop()

    async def stored(self, exchange: Exchange) -> Answer | None:
        """What answers a GET or HEAD without the backend: fresh, or stale where it may stand in for an error of ours.

        The 503 that would be sent instead is such an error (RFC 5861 section 4). Nothing is refreshed: that can wait.
        """
        looked, route = self._lookup_of(exchange, None, None), exchange.match.route
        lost = lost_now(self._services.log, route, self._services.clock)
        stored = await self._candidates(route, looked, None, lost)
        decision = decide(looked.wanted, stored, route.cache, self._services.clock.now())
        match decision:
            case Hit():
                return self._hit(exchange, looked, decision, lost)
            case ServeStale():
                return _stale(decision, looked.key)
            case _:
                return self._stand_in(decision, looked.key, answered=True)

    def _lookup_of(self, exchange: Exchange, body: bytes | None, body_digest: str | None) -> CacheLookup:
        """What to look up."""
        wanted = cache_request(exchange)
        search = None if wanted.query is None else self._services.searches.of(wanted)
        key = cache_key(wanted, exchange.match.route.cache, body_digest=body_digest, search=search)
        return CacheLookup(wanted, key, body, body_digest)

    async def _candidates(
        self, route: Route, looked: CacheLookup, wish: FetchLockWish | None, lost: Lost | None
    ) -> Sequence[Candidate]:
        """What is stored and may be looked at; `lost` is what says of it nothing any more."""
        rules = route.cache
        if not rules.enabled or passes(looked.wanted.fields, rules) is not None:
            return []
        if lost is not None and lost.read is not LostRead.STORED:
            return []
        return candidates(self._services.log, await self._services.store.lookup(looked.key, looked.wanted, rules, wish))

    def _hit(self, exchange: Exchange, looked: CacheLookup, hit: Hit, lost: Lost | None) -> Answer:
        """The answer from a fresh response. Nobody knows whether it still is while the log is lost: it says so."""
        route, key = exchange.match.route, looked.key
        if route.audit_share > 0:
            self._auditor.consider(exchange, looked.wanted, hit.entry)
        shown, detail = key if route.show_key else None, lost.loss.value if lost is not None else None
        status = CacheStatus(hit=True, ttl_s=hit.ttl_s, key=shown, detail=detail)
        return stored_answer(hit.entry, hit.age_s, key, status, CacheResult.STALE if lost else CacheResult.HIT)

    async def _answer(
        self, exchange: Exchange, looked: CacheLookup, stored: Sequence[Candidate], lost: Lost | None
    ) -> Answer:
        """The answer, given what is stored."""
        route, wanted, key = exchange.match.route, looked.wanted, looked.key
        rules = route.cache
        decision = decide(wanted, stored, rules, self._services.clock.now())
        if isinstance(decision, Hit):
            return self._hit(exchange, looked, decision, lost)
        for entry, _ in stored:
            if entry.vary:
                self._services.flights.learn(key, [name for name, _ in entry.vary])
        plan = plan_of(exchange, looked, decision, self._services.instance)
        if isinstance(decision, Miss):
            answer = await self._fetch(exchange, plan, decision, decision.forward, decision.reason, lost)
        else:
            answer = await self._act(exchange, decision, plan, lost)
        return replace(answer, cache=replace(answer.cache, key=key)) if route.show_key else answer

    async def _act(self, exchange: Exchange, decision: Undone, plan: Plan, lost: Lost | None) -> Answer:
        match decision:
            case ServeStale(refresh=refresh):
                if refresh:
                    self._fetcher.refresh(plan)
                return _stale(decision, plan.key)
            case GatewayTimeout(reason=reason):
                status = CacheStatus(detail=reason.value)
                return refuse(exchange, 504, "nothing stored can answer only-if-cached", Refusal.ONLY_IF_CACHED, status)
            case Revalidate(forward=forward, reason=why):
                return await self._fetch(exchange, plan, decision, forward, why, lost)
            case PartialMiss():
                return await self._fetch(exchange, plan, decision, Forward.PARTIAL, None, lost)

    async def _fetch(
        self,
        exchange: Exchange,
        plan: Plan,
        decision: Decision,
        forward: Forward,
        why: Reason | None,
        lost: Lost | None,
    ) -> Answer:
        """Ask the backend; stand in with what is stored where it fails and that is allowed.

        For as long as it has said that it is busy it is not asked for what is stale, unless a client demands that.
        """
        if self._is_left_alone(plan, decision):
            stale = self._stand_in(decision, plan.key, answered=True)
            if stale is not None:
                return stale
        outcome, collapsed = await self._fetcher.fetch(plan, exchange.client)
        detail = lost.loss.value if lost is not None else why.value if why is not None else None
        status = CacheStatus(forward=forward, collapsed=collapsed, detail=detail)
        return await self._answer_of(exchange, plan, decision, outcome, status)

    def _is_left_alone(self, plan: Plan, decision: Decision) -> bool:
        """Whether the backend is not to be asked for what is stale, as it has said that it is busy."""
        if not self._fetcher.refreshes.rests(plan.key, self._services.clock.monotonic()):
            return False
        is_stale = isinstance(decision, Revalidate) and decision.ttl_s <= 0
        return is_stale and not wants_its_own(plan.wanted, plan.match.route.cache)

    async def finish(self, exchange: Exchange, begun: SentMiss | FollowedMiss) -> Answer:
        """The answer to a miss that the backend has been asked for already, by itself or by a flight it waits for."""
        plan, decision, collapsed = begun.plan, begun.decision, False
        if isinstance(begun, SentMiss):
            outcome = await self._fetcher.take_over(plan, begun.flight, begun.fetched, exchange.client)
        else:
            outcome, collapsed = await self._fetcher.fetch(plan, exchange.client, begun.flight)
        detail = decision.reason.value if decision.reason else None
        status = CacheStatus(forward=decision.forward, collapsed=collapsed, detail=detail)
        return await self._answer_of(exchange, plan, decision, outcome, status)

    async def _answer_of(
        self, exchange: Exchange, plan: Plan, decision: Decision, outcome: FetchOutcome, status: CacheStatus
    ) -> Answer:
        match outcome:
            case Unreachable(error=error):
                stale = self._stand_in(decision, plan.key, answered=False, busy=error.failure in REFUSED_HERE)
                return stale or replace(upstream_failed(exchange, error, status), use=_asked(status))
            case OriginError(status=code):
                status = replace(status, forward_status=code)
                stale = self._stand_in(decision, plan.key, answered=True)
                refused = refuse(exchange, 502, f"the backend answered {code}", Refusal.UPSTREAM, status)
                return stale or replace(refused, use=_asked(status))
            case Complete():
                return whole_answer(outcome, plan, status)
            case _:
                return await unstored_answer(self._services, exchange, outcome, status)

    def _stand_in(self, decision: Decision, key: str, *, answered: bool, busy: bool = False) -> Answer | None:
        """The stale response in place of the backend's failure (RFC 5861 section 4, RFC 9111 section 4.2.4).

        `busy` says that it was not asked for all that it has to do.
        """
        if not isinstance(decision, Revalidate):
            return None
        now = self._services.clock.now()
        fallback = decision.fallback
        until = fallback.on_error_until if answered else fallback.on_disconnect_until
        on_overload = busy and fallback.on_overload_until is not None and now < fallback.on_overload_until
        if on_overload:
            until = fallback.on_overload_until
        if until is None or now >= until or self._services.log.validity(decision.entry) is Validity.DEAD:
            return None
        in_window = fallback.on_error_until is not None and now < fallback.on_error_until
        reason = Reason.STALE_IF_ERROR if in_window else Reason.DISCONNECTED
        if on_overload:
            reason = Reason.STALE_ON_OVERLOAD
        status = CacheStatus(hit=True, ttl_s=decision.ttl_s, detail=reason.value)
        return stored_answer(decision.entry, decision.age_s, key, status, CacheResult.STALE)


def _asked(status: CacheStatus) -> CacheResult:
    """What a request is counted as that the backend was asked for. One that never looked is no miss."""
    return CacheResult.BYPASS if status.forward is Forward.BYPASS else CacheResult.MISS


def _stale(decision: ServeStale, key: str) -> Answer:
    status = CacheStatus(hit=True, ttl_s=decision.ttl_s, detail=decision.reason.value)
    return stored_answer(decision.entry, decision.age_s, key, status, CacheResult.STALE)


def stored_answer(
    entry: Entry,
    age_s: float | None,
    key: str,
    status: CacheStatus,
    use: CacheResult,
    upstream_ms: float | None = None,
    sent_to: SentTo | None = None,
) -> Answer:
    """An answer from a stored response."""
    head = ResponseHead(entry.status, entry.reason, entry.fields)
    return Answer(head, StoredBody(entry, age_s, key), status, use, upstream_ms, sent_to=sent_to)


def whole_answer(outcome: Complete, plan: Plan, status: CacheStatus) -> Answer:
    """The answer that a flight brought whole."""
    use = CacheResult.COLLAPSED if status.collapsed else _asked(status)
    if outcome.validated:
        use = CacheResult.REVALIDATED
    told = CacheStatus(
        forward=status.forward,
        forward_status=304 if outcome.validated else None,
        stored=outcome.stored,
        collapsed=status.collapsed,
        detail=status.detail,
    )
    return stored_answer(outcome.own, None, plan.key, told, use, outcome.upstream_ms, outcome.sent_to)


async def unstored_answer(
    services: Services, exchange: Exchange, outcome: Streaming | Uncacheable, status: CacheStatus
) -> Answer:
    """The answer that a flight brings."""
    if isinstance(outcome, Streaming):
        entry, body, place = outcome.own, outcome.body, outcome.place
        head = ResponseHead(entry.status, entry.reason, entry.fields)
        # Trailers are not stored: who has waited gets what a hit would have, and nobody's cookie.
        trailers = no_trailers if status.collapsed else lambda: body.trailers
        stream = StreamBody(place, outcome.length, place.aclose, trailers)
        use = CacheResult.COLLAPSED if status.collapsed else _asked(status)
        return Answer(head, stream, replace(status, stored=True), use, outcome.upstream_ms, sent_to=outcome.sent_to)
    told = CacheStatus(forward=status.forward, collapsed=status.collapsed, detail=outcome.reason.value)
    return await private_answer(services, exchange, outcome.response, told, _asked(told), outcome.upstream_ms)
