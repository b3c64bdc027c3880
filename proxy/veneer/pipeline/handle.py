"""One request's life: admit, answer, reply, record."""

from __future__ import annotations

import logging
from dataclasses import replace

from veneer.core.key import preflight_digest, query_digest
from veneer.core.rate import RateVerdict
from veneer.core.rules import OriginRule
from veneer.pipeline.account import SentResponse, record_of
from veneer.pipeline.admit import (
    body_limit,
    count,
    refused_by_body,
    refused_by_head,
    refused_by_load,
    refused_by_rate,
)
from veneer.pipeline.ahead import beginning, joined
from veneer.pipeline.answer import Answer
from veneer.pipeline.begun import Begun, FollowedMiss, SentMiss, SentWrite
from veneer.pipeline.context import Exchange, Services, cache_request
from veneer.pipeline.exchange import Refusal
from veneer.pipeline.fetch import Fetcher
from veneer.pipeline.forward import Forwarder
from veneer.pipeline.identify import Identifier
from veneer.pipeline.read import CacheHandler
from veneer.pipeline.refuse import refuse
from veneer.pipeline.reply import Replier
from veneer.ports import BodyError, ClientGoneError, UpstreamError

logger = logging.getLogger(__name__)

QUERY_BODY_BYTES = 64 * 1024
"""A QUERY's content up to this length is part of the cache key; longer ones pass through."""

CACHED_METHODS = frozenset({"GET", "HEAD"})


class Handler:
    """Answers every request that the server could read."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._reader = CacheHandler(services, Fetcher(services))
        self._forwarder = Forwarder(services)
        self._replier = Replier(services)
        self._identifier = Identifier(services.identities)

    async def handle(self, exchange: Exchange, begun: Begun | None = None) -> None:
        """Answer one request on its client. Raises nothing but cancellation: failures are answered and recorded.

        `begun` is given of one that counts as active and in flight already, and may have been sent to the backend.
        """
        services = self._services
        answer: Answer | None = None
        replied = SentResponse(0)
        rate: RateVerdict | None = None
        error = ""
        has_place = True
        try:
            if begun is None:
                services.recorder.begin()
                asked = exchange.match.route.identity_names
                exchange = await self._identifier.identified(exchange, services.clock) if asked else exchange
                rate = await count(services, exchange)
                has_place = services.in_flight.take()
            else:
                rate = begun.rate
            try:
                if isinstance(begun, SentMiss | FollowedMiss):
                    answer = await self._reader.finish(exchange, begun)
                elif isinstance(begun, SentWrite):
                    answer = await self._forwarder.finish_sent(exchange, begun)
                elif rate is not None and not rate.allowed:
                    answer = refused_by_rate(exchange.request.target, exchange.request_id, rate)
                    services.hits.learn_refusal(exchange)
                else:
                    answer = await (self._answer(exchange) if has_place else self._answer_without_place(exchange))
                replied = await self._replier.reply(exchange, answer, rate)
            finally:
                if has_place:
                    services.in_flight.give_back()
        except ClientGoneError as gone:
            error = str(gone) or "the client closed the connection"
        except UpstreamError as failure:
            error = str(failure)
        except Exception as failure:
            logger.exception("request %s failed", exchange.request_id)
            error = f"{type(failure).__name__}: {failure}"
            answer, replied = await self._apologise(exchange, rate, replied)
        finally:
            duration_ms = (services.clock.monotonic() - exchange.started_s) * 1000
            services.recorder.finish(record_of(exchange, answer, replied, rate, error, duration_ms))

    async def _answer(self, exchange: Exchange) -> Answer:
        refused = refused_by_head(self._services, exchange)
        if refused is not None:
            return refused
        method = exchange.request.method
        try:
            if method in CACHED_METHODS:
                # A GET with content is not looked up: content is no part of the key (RFC 9110 section 9.3.1).
                if exchange.client.has_body or "upgrade" in exchange.request.fields.joined:
                    return await self._forwarder.answer(exchange)
                return await self._reader.answer(exchange)
            if exchange.match.route.cache.enabled and cache_request(exchange).method == "QUERY":
                return await (self._preflight(exchange) if method == "OPTIONS" else self._query(exchange))
            return await self._forwarder.answer(exchange)
        except BodyError as error:
            return refused_by_body(exchange, error)

    async def _answer_without_place(self, exchange: Exchange) -> Answer:
        """The answer while as many requests are at work as may be: what is stored, which costs the backend nothing."""
        refused = refused_by_head(self._services, exchange)
        if refused is None and exchange.request.method in CACHED_METHODS and not exchange.client.has_body:
            stored = await self._reader.stored(exchange)
            if stored is not None:
                return stored
        return refused or refused_by_load(self._services, exchange)

    async def _preflight(self, exchange: Exchange) -> Answer:
        """A CORS preflight that the route keeps: keyed by what its answer depends on, fresh for the time it says."""
        route, digest = exchange.match.route, preflight_digest(exchange.request)
        if digest is None or exchange.client.has_body:
            return await self._forwarder.answer(exchange)
        rules = replace(route.cache, ttl_s=route.preflight_s, ttl_by_status=(), origin=OriginRule.OVERRIDE)
        kept = replace(exchange, match=exchange.match.under(replace(route, cache=rules)))
        return await self._reader.answer(kept, None, digest)

    async def _query(self, exchange: Exchange) -> Answer:
        """QUERY: keyed by a digest of its content (RFC 10008)."""
        body = exchange.client.body(body_limit(exchange))
        exchange = _content_begun(exchange)
        content = b""
        if isinstance(body, bytes):
            if len(body) > QUERY_BODY_BYTES:
                return await self._forwarder.answer(exchange, body)
            content = body
        elif body is not None:
            content, whole = await beginning(body, QUERY_BODY_BYTES)
            if not whole:
                return await self._forwarder.answer(exchange, joined(content, body))
        return await self._reader.answer(exchange, content, query_digest(exchange.request.fields, content))

    async def _apologise(
        self, exchange: Exchange, rate: RateVerdict | None, replied: SentResponse
    ) -> tuple[Answer | None, SentResponse]:
        """500 where nothing was sent yet, a cut connection otherwise."""
        if exchange.client.started:
            exchange.client.abort()
            return None, replied
        answer = refuse(exchange, 500, "the proxy failed to answer; the log has the details", Refusal.INTERNAL)
        return await self._send(exchange, answer, rate, replied)

    async def _send(
        self, exchange: Exchange, answer: Answer, rate: RateVerdict | None, replied: SentResponse
    ) -> tuple[Answer | None, SentResponse]:
        try:
            return answer, await self._replier.reply(exchange, answer, rate)
        except ClientGoneError:
            return answer, replied


def _content_begun(exchange: Exchange) -> Exchange:
    """The exchange once its content is read here: the backend need not be asked whether it wants any."""
    request = exchange.request
    if "expect" not in request.fields.joined:
        return exchange
    return replace(exchange, request=request.with_fields(request.fields.without(("expect",))))
