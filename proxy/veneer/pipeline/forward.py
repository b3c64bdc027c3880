"""Requests that pass through: unsafe methods with what they invalidate, and everything the cache keeps out of."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from typing import NamedTuple

from veneer.core.entry import Entry, Position
from veneer.core.forwarding import to_origin
from veneer.core.key import cache_key
from veneer.core.messages import RequestHead, ResponseHead
from veneer.core.negotiation import as_origin_knows
from veneer.core.outcome import CacheStatus, Forward, Reason
from veneer.core.storability import Storable
from veneer.core.upgrades import switches_as_asked
from veneer.core.validators import make_etag
from veneer.pipeline.admit import body_limit
from veneer.pipeline.ahead import read_ahead
from veneer.pipeline.answer import Answer, Body, StoredBody, StreamBody, TunnelBody
from veneer.pipeline.begun import SentWrite
from veneer.pipeline.context import Exchange, Services, cache_request, edited_request
from veneer.pipeline.exchange import CacheResult, Refusal
from veneer.pipeline.fill import StoreUpdater
from veneer.pipeline.heeded import Heeded
from veneer.pipeline.invalidations import Events, done_by, is_strict, named_by, settles_s
from veneer.pipeline.made import FetchedResponse, as_it_came, entry_of, judge_fetched
from veneer.pipeline.plan import Plan
from veneer.pipeline.refuse import refuse, upstream_failed
from veneer.pipeline.unasked import asked_for
from veneer.policy.model import EtagRule
from veneer.ports import ClientGoneError, Content, Demand, Receipt, UpstreamError, UpstreamFailure, UpstreamResponse

SMALL_BYTES = 128 * 1024
"""A private response of at most this length is read whole, so that it can get a validator and a compact coding."""


class Asked(NamedTuple):
    """What the backend has been, or is about to be, asked: the request, when, and the response.

    `born` is the log's position before that. `response` raises UpstreamError, and what the request's content raises.
    `receipt` is that of its events where they were appended when it came.
    """

    request: RequestHead
    born: Position
    request_time: float
    started_s: float
    response: Awaitable[UpstreamResponse]
    receipt: Receipt | None = None


class AsGet(NamedTuple):
    """How a response to POST is stored for later GETs."""

    plan: Plan
    verdict: Storable


class Forwarder:
    """Sends requests on, and makes writes known before their answer leaves."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._filler = StoreUpdater(services)

    async def answer(self, exchange: Exchange, content: Content | None = None) -> Answer:
        """The backend's answer. An unsafe exchange goes on when its client leaves: it may have changed something.

        `content` stands for the client's body where part of that has been read already.
        """
        body = content or exchange.client.body(body_limit(exchange))
        content = await read_ahead(exchange.request, body, exchange.match.route.body_buffer_bytes)
        safe = exchange.request.is_safe
        bypassed = safe and exchange.match.route.cache.enabled
        status = CacheStatus(forward=Forward.BYPASS if bypassed else Forward.METHOD)
        if safe:
            with Heeded(exchange.client, exchange.match.route.claim) as demand:
                return await self._exchange(exchange, status, self._ask(exchange, content, demand), ())
        done = done_by(exchange.policy, exchange.match, exchange.request)
        if not done:
            return await self._write(exchange, status, content, done)
        log = self._services.log
        # Where this node vanishes from the others' sight, it may be waiting still before the write settles.
        route = exchange.match.route
        if not await log.begin_write(route.unheard_s, strict=is_strict(route)):
            detail = "the request was not sent: other nodes could not be told what it changes"
            unsent = replace(status, detail=Refusal.LOG_LOST.value)
            return refuse(exchange, 503, detail, Refusal.LOG_LOST, unsent, ("Retry-After", "1"))
        try:
            return await self._write(exchange, status, content, done)
        finally:
            log.end_write()

    async def finish_sent(self, exchange: Exchange, begun: SentWrite) -> Answer:
        """The answer to a write that was sent already, and made known before that where it had to be."""
        services = self._services
        try:
            exchange.client.body(body_limit(exchange))  # was sent with it, and is counted
            done = done_by(exchange.policy, exchange.match, exchange.request)
            request, times = sent_as(exchange, services.instance), (exchange.received, exchange.started_s)
            asked = Asked(request, begun.born, *times, begun.response, begun.receipt)
            return await self._outlive(exchange, CacheStatus(forward=Forward.METHOD), asked, done)
        finally:
            if begun.announced:
                services.log.end_write()

    async def _write(self, exchange: Exchange, status: CacheStatus, content: Content | None, done: Events) -> Answer:
        demand = Demand(exchange.match.route.claim)
        exchange.client.detach(demand.asker_left)  # once it is sent it goes on, but not before
        return await self._outlive(exchange, status, self._ask(exchange, content, demand), done)

    async def _outlive(self, exchange: Exchange, status: CacheStatus, asked: Asked, done: Events) -> Answer:
        """An exchange with the backend of a client that may leave, and is detached."""
        client = exchange.client
        try:
            answer = await self._exchange(exchange, status, asked, done)
        finally:
            left = client.reattach()
        if left:
            await _close(answer.body)
            raise ClientGoneError("the client left before its write was answered")
        return answer

    def _ask(self, exchange: Exchange, content: Content | None, demand: Demand) -> Asked:
        """Ask the backend, as soon as the response is awaited."""
        services, route = self._services, exchange.match.route
        request = sent_as(exchange, services.instance)
        response = services.upstreams[route.upstream].exchange(
            request, content, exchange.client.interim, read_timeout_s=route.read_timeout_s, demand=demand
        )
        return Asked(request, services.log.position, services.clock.now(), services.clock.monotonic(), response)

    async def _exchange(self, exchange: Exchange, status: CacheStatus, asked: Asked, done: Events) -> Answer:
        """One exchange with the backend, and what it invalidates; `done` is that of a success that names nothing."""
        services = self._services
        request, born, request_time, started_s, *_ = asked
        response = await self._response(exchange, asked, done)
        if isinstance(response, UpstreamError):
            return upstream_failed(exchange, response, status)
        upstream_ms = (services.clock.monotonic() - started_s) * 1000
        if response.tunnel is not None and not switches_as_asked(request, response.head):
            await response.aclose()
            detail = "the backend switched to another protocol than the one asked for"
            return upstream_failed(exchange, UpstreamError(UpstreamFailure.MALFORMED, detail, sent=True), status)
        try:
            head = response.head
            named = named_by(exchange.policy, exchange.match, exchange.request, head, done)
            settling_s = settles_s(exchange.match.route, head)
            receipt = asked.receipt or await self._invalidate(exchange, named, settling_s)
            if receipt is not None and not receipt.shared and is_strict(exchange.match.route):
                # The response itself must not be seen before every node knows: somebody could read older after it.
                await response.aclose()
                detail = "the backend has answered, but other nodes could not be told yet what the request changed"
                kept = replace(status, forward_status=response.head.status, detail=Refusal.LOG_LOST.value)
                return refuse(exchange, 504, detail, Refusal.LOG_LOST, kept)
            if response.tunnel is not None:
                tunnel, bypass = TunnelBody(response), CacheResult.BYPASS
                return Answer(response.head, tunnel, status, bypass, upstream_ms, sent_to=response.sent_to)
            if request.method == "POST" and receipt is not None and receipt.shared:
                fetched = FetchedResponse(response, request_time, services.clock.now(), born, upstream_ms)
                as_get = await self._storable_as_get(exchange, fetched, receipt.position)
                if as_get is not None:
                    return await self._stored_for_get(as_get, replace(fetched, born=receipt.position), status)
            told = CacheStatus(forward=status.forward, detail=Reason.METHOD.value)
            return await private_answer(services, exchange, response, told, CacheResult.BYPASS, upstream_ms)
        except BaseException:
            await response.aclose()
            raise

    async def _response(self, exchange: Exchange, asked: Asked, done: Events) -> UpstreamResponse | UpstreamError:
        """The backend's response. A write that may have arrived counts as done, however the exchange ended."""
        sent = True
        try:
            return await asked_for(asked.request, await asked.response)
        except UpstreamError as error:
            sent = error.sent
            await self._invalidate_unknown(exchange, done, sent=sent)
            return error  # nothing keeps it, so no copy without its frames is needed
        except BaseException:
            await self._invalidate_unknown(exchange, done, sent=sent)
            raise

    async def _storable_as_get(
        self, exchange: Exchange, fetched: FetchedResponse, invalidated: Position
    ) -> AsGet | None:
        """How to store a response to POST that says it is the target's representation (RFC 9110 section 9.3.3).

        None when it does not say so, or when another event than its own, at `invalidated`, may have outdated it.
        """
        length = fetched.response.content_length
        if length is None or length > SMALL_BYTES:
            return None
        plan = self._plan_as_get(exchange)
        verdict = judge_fetched(plan, fetched)
        if not isinstance(verdict, Storable):
            return None
        entry = entry_of(plan, fetched, verdict)
        return AsGet(plan, verdict) if await self._services.log.spares(entry, invalidated) else None

    async def _stored_for_get(self, as_get: AsGet, fetched: FetchedResponse, status: CacheStatus) -> Answer:
        """Store it. It is born at the invalidation that its own request caused: nothing came between the two."""
        plan, verdict = as_get
        body = b"".join([piece async for piece in fetched.response.body()])
        entry, stored = await self._filler.put(plan, entry_of(plan, fetched, verdict, body), verdict)
        head = fetched.response.head
        own = as_it_came(entry, head.fields, verdict)
        told, sent_to = replace(status, stored=stored), fetched.response.sent_to
        return Answer(head, StoredBody(own), told, CacheResult.BYPASS, fetched.upstream_ms, sent_to=sent_to)

    def _plan_as_get(self, exchange: Exchange) -> Plan:
        """What a GET of the same target would be fetched as."""
        wanted = cache_request(exchange)
        match = exchange.policy.match_of(replace(exchange.request, method="GET"))
        rules = match.route.cache
        return Plan(
            key=cache_key(replace(wanted, method="GET"), rules),
            match=match,
            wanted=wanted,
            outgoing=wanted,
            unconditional=wanted,
        )

    async def _invalidate_unknown(self, exchange: Exchange, done: Events, *, sent: bool) -> None:
        """Invalidate what a success would have: nobody knows whether, and when, the backend carries the request out."""
        if sent and done:
            await self._invalidate(exchange, done, exchange.match.route.write_settles_s)

    async def _invalidate(self, exchange: Exchange, events: Events, settles_s: float) -> Receipt | None:
        """Append the events; the receipt of the last, which says whether all are shared."""
        receipt, shared, strict = None, True, is_strict(exchange.match.route)
        for event in events:
            receipt = await self._services.log.append(event, strict=strict, settles_s=settles_s)
            shared = shared and receipt.shared
        return receipt if receipt is None or receipt.shared == shared else replace(receipt, shared=shared)


def sent_as(exchange: Exchange, via: str) -> RequestHead:
    """The request as the backend gets it."""
    known = as_origin_knows(edited_request(exchange), coded_here=exchange.match.route.compress.enabled)
    return to_origin(known, exchange.peer, via=via)


async def private_answer(
    services: Services,
    exchange: Exchange,
    response: UpstreamResponse,
    status: CacheStatus,
    use: CacheResult,
    upstream_ms: float,
) -> Answer:
    """A response for this client alone. Small ones are read whole, so that conditions and codings apply to them."""
    head = response.head
    length = response.content_length
    if not (
        exchange.request.method == "GET" and head.status == 200 and length is not None and 0 < length <= SMALL_BYTES
    ):
        stream = StreamBody(response.body(), length, response.aclose, lambda: response.trailers, response.stream_into)
        return Answer(head, stream, status, use, upstream_ms, sent_to=response.sent_to)
    try:
        body = b"".join([piece async for piece in response.body()])
    except UpstreamError as error:
        failed = upstream_failed(exchange, error, status)
        return replace(failed, use=use, upstream_ms=upstream_ms, sent_to=response.sent_to)
    finally:
        await response.aclose()
    fields = head.fields
    if exchange.match.route.etag is EtagRule.GENERATE and "etag" not in fields:
        fields = fields.added(("ETag", make_etag(body)))
    now = services.clock.now()
    entry = Entry(head.status, head.reason, fields, body, now, now, uri="", born=services.log.position)
    told = ResponseHead(head.status, head.reason, fields)
    return Answer(told, StoredBody(entry), status, use, upstream_ms, sent_to=response.sent_to)


async def _close(body: Body) -> None:
    """Let go of a response that nobody will read."""
    if isinstance(body, StreamBody):
        await body.aclose()
    elif isinstance(body, TunnelBody):
        await body.response.aclose()
