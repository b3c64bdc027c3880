"""Requests that the cache may answer: look up, decide, act."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from proxy.core.entry import Entry
from proxy.core.forwarding import to_origin
from proxy.core.invalidation import Validity
from proxy.core.key import cache_key
from proxy.core.messages import RequestHead, ResponseHead
from proxy.core.outcome import CacheStatus, Forward, Reason
from proxy.core.reuse import (
    Candidate,
    Decision,
    GatewayTimeout,
    Hit,
    Miss,
    PartialMiss,
    Revalidate,
    ServeStale,
    decide,
)
from proxy.core.validation import completion_request, conditional_request, miss_request, unconditional_request
from proxy.core.validators import has_validator
from proxy.pipeline.answer import Answer, StoredBody, StreamBody
from proxy.pipeline.audit import Auditor
from proxy.pipeline.coalesce import Arriving, Erred, Failed, Landing, Private, Whole
from proxy.pipeline.context import Exchange, Services, as_cached
from proxy.pipeline.exchange import CacheUse, Refusal
from proxy.pipeline.fetch import Fetcher
from proxy.pipeline.fill import Plan
from proxy.pipeline.forward import private_answer
from proxy.pipeline.refuse import refuse, upstream_failed
from proxy.policy.model import StoreLoss
from proxy.ports import Standing

Undone = ServeStale | GatewayTimeout | Revalidate | Miss | PartialMiss
"""Decisions that a hit is not: most of them need the backend."""


class Reader:
    """Answers GET, HEAD and QUERY, from the store where the core allows it."""

    def __init__(self, services: Services, fetcher: Fetcher) -> None:
        self._services = services
        self._fetcher = fetcher
        self._auditor = Auditor(services)

    async def answer(self, exchange: Exchange, body: bytes | None = None, body_digest: str | None = None) -> Answer:
        """The answer to a request that may be looked up. `body` and its digest belong to QUERY."""
        route = exchange.route
        rules = route.cache
        wanted = as_cached(exchange)
        search = self._services.searches.of(wanted)
        key = cache_key(wanted, rules, body_digest=body_digest, search=search)
        lost = self._services.log.standing() is Standing.LOST
        candidates: Sequence[Candidate] = []
        if rules.enabled and (not lost or route.on_store_loss is StoreLoss.STALE):
            candidates = self._valid(await self._services.store.lookup(key, wanted), soft=lost)
        decision = decide(wanted, candidates, rules, self._services.clock.now())
        if isinstance(decision, Hit):
            if route.audit_share > 0:
                self._auditor.consider(exchange, wanted, decision.entry)
            status = CacheStatus(hit=True, ttl_s=decision.ttl_s, key=key if route.show_key else None)
            return stored_answer(decision.entry, decision.age_s, key, status, CacheUse.HIT)
        plan = self._plan(exchange, wanted, key, decision, body, body_digest)
        answer = await self._act(exchange, decision, plan, lost=lost)
        return replace(answer, cache=replace(answer.cache, key=key)) if route.show_key else answer

    def _valid(self, entries: Sequence[Entry], *, soft: bool) -> list[Candidate]:
        """The entries that nothing has killed, with what the log says; all soft while the log cannot be heard."""
        found: list[Candidate] = []
        for entry in entries:
            validity = self._services.log.validity(entry)
            if validity is not Validity.DEAD:
                found.append((entry, Validity.SOFT if soft else validity))
        return found

    async def _act(self, exchange: Exchange, decision: Undone, plan: Plan, *, lost: bool) -> Answer:
        match decision:
            case ServeStale(entry=entry, age_s=age_s, ttl_s=ttl_s, reason=reason, refresh=refresh):
                if refresh:
                    self._fetcher.refresh(plan)
                status = CacheStatus(hit=True, ttl_s=ttl_s, detail=reason.value)
                return stored_answer(entry, age_s, plan.key, status, CacheUse.STALE)
            case GatewayTimeout(reason=reason):
                status = CacheStatus(detail=reason.value)
                return refuse(exchange, 504, "nothing stored can answer only-if-cached", Refusal.ONLY_IF_CACHED, status)
            case Revalidate(forward=forward, reason=why):
                return await self._fetch(exchange, plan, decision, forward, why, lost=lost)
            case Miss(forward=forward, reason=cause):
                return await self._fetch(exchange, plan, decision, forward, cause, lost=lost)
            case PartialMiss():
                return await self._fetch(exchange, plan, decision, Forward.PARTIAL, None, lost=lost)

    async def _fetch(
        self, exchange: Exchange, plan: Plan, decision: Decision, forward: Forward, why: Reason | None, *, lost: bool
    ) -> Answer:
        """Ask the backend; stand in with what is stored where it fails and that is allowed."""
        landing, collapsed = await self._fetcher.fetch(plan, exchange.client)
        detail = "store-lost" if lost else why.value if why is not None else None
        status = CacheStatus(forward=forward, collapsed=collapsed, detail=detail)
        match landing:
            case Failed(error=error):
                stale = self._stand_in(decision, plan, answered=False)
                return stale or upstream_failed(exchange, error, status)
            case Erred(status=code):
                status = replace(status, forward_status=code)
                stale = self._stand_in(decision, plan, answered=True)
                return stale or refuse(exchange, 502, f"the backend answered {code}", Refusal.UPSTREAM, status)
            case _:
                return await landed_answer(self._services, exchange, landing, plan, status)

    def _stand_in(self, decision: Decision, plan: Plan, *, answered: bool) -> Answer | None:
        """The stale response in place of the backend's failure (RFC 5861 section 4, RFC 9111 section 4.2.4)."""
        if not isinstance(decision, Revalidate):
            return None
        now = self._services.clock.now()
        fallback = decision.fallback
        until = fallback.on_error_until if answered else fallback.on_disconnect_until
        if until is None or now >= until or self._services.log.validity(decision.entry) is Validity.DEAD:
            return None
        in_window = fallback.on_error_until is not None and now < fallback.on_error_until
        reason = Reason.STALE_IF_ERROR if in_window else Reason.DISCONNECTED
        status = CacheStatus(hit=True, ttl_s=decision.ttl_s, detail=reason.value)
        return stored_answer(decision.entry, decision.age_s, plan.key, status, CacheUse.STALE)

    def _plan(
        self,
        exchange: Exchange,
        wanted: RequestHead,
        key: str,
        decision: Decision,
        body: bytes | None,
        body_digest: str | None,
    ) -> Plan:
        """What to fetch if the decision needs it: the request for the backend and what a 304 or 206 may apply to."""
        validating: tuple[Entry, ...] = ()
        completing: Entry | None = None
        hides_errors = False
        unconditional = unconditional_request(wanted)
        match decision:
            case Revalidate(entry=entry, others=others):
                validating = tuple(e for e in (entry, *others) if e is entry or has_validator(e.fields))
                outgoing = conditional_request(wanted, validating)
                hides_errors = decision.fallback.on_error_until is not None
            case ServeStale(entry=entry):
                validating = (entry,)
                outgoing = conditional_request(wanted, validating)
                hides_errors = True
            case PartialMiss(entry=entry, range_value=range_value):
                completing = entry
                outgoing = completion_request(wanted, entry, range_value)
            case Miss(variants=variants):
                validating = variants
                outgoing = miss_request(wanted, variants)
            case _:
                outgoing = unconditional
        if exchange.request.method != wanted.method:
            # The backend knows this request as a POST, to which conditions and ranges do not apply as to QUERY.
            validating, completing = (), None
            outgoing = unconditional = replace(unconditional, method=exchange.request.method)
        route = exchange.route
        codings = None if route.compress.enabled else route.cache.codings
        peer, via = exchange.peer, self._services.via
        sent = to_origin(outgoing, peer, via=via, codings=codings)
        same = unconditional.fields is outgoing.fields
        return Plan(
            key=key,
            match=exchange.match,
            wanted=wanted,
            outgoing=sent,
            unconditional=sent if same else to_origin(unconditional, peer, via=via, codings=codings),
            validating=validating,
            completing=completing,
            hides_errors=hides_errors,
            coalesce=route.coalesce and wanted.method == "GET" and "range" not in wanted.fields,
            body=body,
            body_digest=body_digest,
        )


def stored_answer(
    entry: Entry, age_s: float | None, key: str, status: CacheStatus, use: CacheUse, upstream_ms: float | None = None
) -> Answer:
    """An answer from a stored response."""
    head = ResponseHead(entry.status, entry.reason, entry.fields)
    return Answer(head, StoredBody(entry, age_s, key), status, use, upstream_ms)


async def landed_answer(
    services: Services, exchange: Exchange, landing: Landing, plan: Plan, status: CacheStatus
) -> Answer:
    """The answer that a flight brought."""
    use = CacheUse.COLLAPSED if status.collapsed else CacheUse.MISS
    match landing:
        case Whole(own=entry, stored=stored, upstream_ms=upstream_ms, validated=validated):
            if validated:
                use = CacheUse.REVALIDATED
            told = CacheStatus(
                forward=status.forward,
                forward_status=304 if validated else None,
                stored=stored,
                collapsed=status.collapsed,
                detail=status.detail,
            )
            return stored_answer(entry, None, plan.key, told, use, upstream_ms)
        case Arriving(own=entry, body=body, length=length, upstream_ms=upstream_ms, place=place):
            head = ResponseHead(entry.status, entry.reason, entry.fields)
            stream = StreamBody(place, length, place.aclose, lambda: body.trailers)
            return Answer(head, stream, replace(status, stored=True), use, upstream_ms)
        case Private(response=response, reason=reason, upstream_ms=upstream_ms):
            told = CacheStatus(forward=status.forward, collapsed=status.collapsed, detail=reason.value)
            return await private_answer(services, exchange, response, told, CacheUse.MISS, upstream_ms)
        case _:
            raise AssertionError(landing)
