"""Requests that pass through: unsafe methods with what they invalidate, and everything the cache keeps out of."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from proxy.core.entry import Entry
from proxy.core.forwarding import to_origin
from proxy.core.invalidating import invalidated_by
from proxy.core.invalidation import Invalidation
from proxy.core.messages import ResponseHead
from proxy.core.outcome import CacheStatus, Forward, Reason
from proxy.core.validators import make_etag
from proxy.pipeline.answer import Answer, StoredBody, StreamBody, TunnelBody
from proxy.pipeline.context import Exchange, Services
from proxy.pipeline.exchange import CacheUse
from proxy.pipeline.refuse import upstream_failed
from proxy.policy.model import Consistency, EtagRule
from proxy.ports import UpstreamError, UpstreamResponse

SMALL_BYTES = 128 * 1024
"""A private response of at most this length is read whole, so that it can get a validator and a compact coding."""


class Forwarder:
    """Sends requests on, and makes writes known before their answer leaves."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def answer(self, exchange: Exchange) -> Answer:
        """The backend's answer. An unsafe exchange goes on when its client leaves: it may have changed something."""
        status = CacheStatus(forward=Forward.METHOD)
        if exchange.route.cache.enabled and exchange.request.is_safe:
            status = replace(status, forward=Forward.BYPASS)
        if exchange.request.is_safe:
            return await self._exchange(exchange, status)
        task = self._services.tasks.start(self._exchange(exchange, status), f"write {exchange.request_id}")
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(self._close_unclaimed)
            raise

    def _close_unclaimed(self, task: asyncio.Task[Answer]) -> None:
        if task.cancelled() or task.exception() is not None:
            return
        body = task.result().body
        if isinstance(body, StreamBody):
            self._services.tasks.start(_close(body), "close unclaimed response")

    async def _exchange(self, exchange: Exchange, status: CacheStatus) -> Answer:
        services, route = self._services, exchange.route
        request = to_origin(exchange.request, exchange.peer, via=services.via)
        body = exchange.client.body(route.body_bytes or exchange.policy.limits.body_bytes)
        started_s = services.clock.monotonic()
        try:
            response = await services.upstreams[route.upstream].exchange(request, body, exchange.client.interim)
        except UpstreamError as error:
            if error.sent and not request.is_safe:
                await self._invalidate(exchange, self._unknown_outcome(exchange))
            return upstream_failed(exchange, error, status)
        except BaseException:
            if not request.is_safe:
                await self._invalidate(exchange, self._unknown_outcome(exchange))
            raise
        upstream_ms = (services.clock.monotonic() - started_s) * 1000
        try:
            await self._invalidate(exchange, self._named_by(exchange, response.head))
        except BaseException:
            await response.aclose()
            raise
        if response.tunnel is not None:
            return Answer(response.head, TunnelBody(response), status, CacheUse.BYPASS, upstream_ms)
        answer = await private_answer(services, exchange, response, replace(status, detail=Reason.METHOD.value))
        return replace(answer, upstream_ms=upstream_ms)

    def _named_by(self, exchange: Exchange, head: ResponseHead) -> Invalidation:
        """What the response says it has made invalid, with what the policy says of the route."""
        route = exchange.route
        return invalidated_by(
            exchange.request,
            head.status,
            head.fields,
            key_rules=exchange.policy.match("GET", exchange.request.path).route.cache.key,
            policy_tags=route.invalidates(exchange.match.params),
            counts=head.status in route.invalidates_on,
        )

    def _unknown_outcome(self, exchange: Exchange) -> Invalidation:
        """A write whose answer never came counts as done."""
        return self._named_by(exchange, ResponseHead(204, "", exchange.request.fields.filter(lambda _: False)))

    async def _invalidate(self, exchange: Exchange, invalidation: Invalidation) -> None:
        if invalidation:
            strict = exchange.route.consistency is Consistency.STRICT
            await self._services.log.append(invalidation, strict=strict)


async def private_answer(
    services: Services, exchange: Exchange, response: UpstreamResponse, status: CacheStatus
) -> Answer:
    """A response for this client alone. Small ones are read whole, so that conditions and codings apply to them."""
    head = response.head
    length = response.content_length
    if not (
        exchange.request.method == "GET" and head.status == 200 and length is not None and 0 < length <= SMALL_BYTES
    ):
        stream = StreamBody(response.body(), length, response.aclose, lambda: response.trailers)
        return Answer(head, stream, status, CacheUse.BYPASS)
    try:
        body = b"".join([piece async for piece in response.body()])
    except UpstreamError as error:
        return upstream_failed(exchange, error, status)
    finally:
        await response.aclose()
    fields = head.fields
    if exchange.route.etag is EtagRule.GENERATE and "etag" not in fields:
        fields = fields.added(("ETag", make_etag(body)))
    now = services.clock.now()
    entry = Entry(head.status, head.reason, fields, body, now, now, uri="", born=services.log.position)
    return Answer(ResponseHead(head.status, head.reason, fields), StoredBody(entry), status, CacheUse.BYPASS)


async def _close(body: StreamBody) -> None:
    await body.aclose()
