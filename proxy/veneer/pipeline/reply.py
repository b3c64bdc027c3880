"""The one place that writes to the client."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from veneer.core.cors import ALLOW_ORIGIN
from veneer.core.entry import CodedBody
from veneer.core.fields import Fields, Pair
from veneer.core.forwarding import age_line, delay_line
from veneer.core.messages import ResponseHead
from veneer.core.negotiation import passing_form
from veneer.core.rate import RateVerdict
from veneer.core.remaining import with_remaining_lifetime
from veneer.core.streams import is_stream
from veneer.pipeline.account import SentResponse
from veneer.pipeline.answer import Answer, BytesBody, StoredBody, StreamBody, TunnelBody
from veneer.pipeline.context import Exchange, ServedHit, Services
from veneer.pipeline.exchange import CacheResult
from veneer.pipeline.represent import Representation, proxy_lines, represent, with_lines
from veneer.pipeline.tunnel import relay
from veneer.policy.model import ClientLifetime
from veneer.ports import BytesLike, StreamEncoder, UpstreamError

PIECE_BYTES = 32 * 1024
"""Of a large body this much is coded before others have their turn."""


NO_CONTENT: Final = frozenset({204, 304})
"""Statuses that allow no content (RFC 9110 section 6.4.1)."""


class Replier:
    """Writes answers."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def reply(self, exchange: Exchange, answer: Answer, rate: RateVerdict | None) -> SentResponse:
        """Send `answer` in the form this client wants.

        Raises ClientGoneError when it has left, UpstreamError when the body broke off on the way.
        """
        match answer.body:
            case StoredBody() as body:
                return await self._stored(exchange, answer, body, rate)
            case BytesBody(data=data):
                head = answer.head
                dressed = self._dressed(exchange, answer, head, None, rate, self._services.clock.now())
                await exchange.client.send_full(dressed, data)
                return SentResponse(head.status)
            case StreamBody() as stream:
                try:
                    if not is_stream(answer.head.fields):
                        return await self._stream(exchange, answer, stream, rate)
                    with self._place_left():
                        return await self._stream(exchange, answer, stream, rate)
                finally:
                    await stream.aclose()
            case TunnelBody(response=response):
                idle_s = exchange.match.route.tunnel_idle_s
                with self._place_left():
                    passed = await relay(self._services.tasks, exchange.client, response, idle_s)
                return SentResponse(101, passed=passed)

    @contextmanager
    def _place_left(self) -> Iterator[None]:
        """What lasts, a tunnel or a stream of events, leaves its place in flight to others: its upstream bounds it."""
        in_flight = self._services.in_flight
        in_flight.give_back()
        try:
            yield
        finally:
            in_flight.take_anyhow()

    async def _stored(
        self, exchange: Exchange, answer: Answer, body: StoredBody, rate: RateVerdict | None
    ) -> SentResponse:
        clock = self._services.clock
        shown = represent(exchange, body.entry, clock.now())
        raw: bytes | tuple[BytesLike, ...] = shown.pieces or shown.body
        in_pieces = shown.uncoded and len(raw) > exchange.match.route.compress.stream_over_bytes
        if shown.uncoded and not in_pieces:
            raw = await self._coded(exchange, body, shown.coding)
        now, head = clock.now(), shown.head
        if body.age_s is None:
            age = delay_line(head.fields, now - exchange.received)
        else:
            age, told = age_line(body.age_s), exchange.match.route.client_lifetime
            left = with_remaining_lifetime(head.fields, body.age_s, now) if told is ClientLifetime.REMAINING else None
            if left is not None:
                age, head = None, ResponseHead(head.status, head.reason, left)
        head = self._dressed(exchange, answer, head, age, rate, now)
        if in_pieces:
            await self._code(exchange, head, shown)
            return SentResponse(shown.head.status, shown.coding, shown.identity_bytes)
        await exchange.client.send_full(head, raw)
        length = len(raw) if isinstance(raw, bytes) else sum(map(len, raw))
        if answer.use is CacheResult.HIT and body.age_s is not None and body.key is not None:
            bodiless = exchange.request.method == "HEAD" or shown.head.status in NO_CONTENT
            ttl_s, coding = answer.cache.ttl_s or 0.0, None if bodiless else shown.coding
            served = ServedHit(body.entry, body.key, body.age_s, ttl_s, head, length, coding)
            self._services.hits.learn(exchange, served)
        elif body.age_s is None:
            self._services.hits.learn_miss(exchange, answer, head, length, shown.coding)
            body.entry.drop_derived()  # it may never be asked for again
        return SentResponse(shown.head.status, shown.coding, shown.identity_bytes)

    async def _coded(self, exchange: Exchange, body: StoredBody, coding: str) -> bytes:
        """The body in `coding`: kept with the entry, or made now and kept from now on."""
        services, entry, key, compress = self._services, body.entry, body.key, exchange.match.route.compress
        kept = entry.coded_in(coding)
        if kept is not None:
            if key is not None and not kept.recompressed:
                services.recompression.consider(key, entry, coding, compress)
            return kept.body
        raw = await services.codec.encode(coding, compress.level, entry.body)
        if key is not None:
            services.store.attach(key, entry, CodedBody(coding, raw))
        return raw

    async def _code(self, exchange: Exchange, head: ResponseHead, shown: Representation) -> None:
        """Send a large stored body, coding it piece by piece, so that neither the loop nor memory feels its length."""
        client = exchange.client
        await client.begin(head, None)
        if exchange.request.method != "HEAD":
            encoder = self._services.codec.stream(shown.coding, exchange.match.route.compress.level)
            for start in range(0, len(shown.body), PIECE_BYTES):
                await client.send(encoder.feed(shown.body[start : start + PIECE_BYTES]))
                await asyncio.sleep(0)
            await client.send(encoder.finish())
        await client.finish(Fields())

    async def _stream(
        self, exchange: Exchange, answer: Answer, stream: StreamBody, rate: RateVerdict | None
    ) -> SentResponse:
        compress, request = exchange.match.route.compress, exchange.request
        form = passing_form(request, answer.head, stream.length, compress.coding if compress.enabled else None)
        fields, length, coding = form.fields, stream.length, form.coding or ""
        encoder: StreamEncoder | None = None
        if form.coding is not None:
            length = None
            if request.method != "HEAD":
                encoder = self._services.codec.stream(form.coding, compress.level)
        now = self._services.clock.now()
        age = delay_line(fields, now - exchange.received)
        head = ResponseHead(answer.head.status, answer.head.reason, fields)
        dressed = self._dressed(exchange, answer, head, age, rate, now)
        await exchange.client.begin(dressed, length)
        identity_bytes = await self._pass(exchange, stream, encoder)
        if not coding:
            self._services.hits.learn_passed(exchange, answer, dressed, length)
        return SentResponse(answer.head.status, coding, identity_bytes if coding else 0)

    async def _pass(self, exchange: Exchange, stream: StreamBody, encoder: StreamEncoder | None) -> int:
        """Pass the body on piece by piece; cut the connection where the backend cuts it short."""
        client = exchange.client
        passed = 0
        try:
            if stream.length is None:
                await client.flush()
            if encoder is None and stream.stream_into is not None:
                await stream.stream_into(client)
            else:
                async for piece in stream.chunks:
                    passed += len(piece)
                    await client.send(piece if encoder is None else encoder.feed(piece) + encoder.flush())
            if encoder is not None:
                await client.send(encoder.finish())
        except (UpstreamError, ConnectionError):
            client.abort()
            raise
        await client.finish(stream.trailers())
        return passed

    def _dressed(
        self,
        exchange: Exchange,
        answer: Answer,
        head: ResponseHead,
        age: Pair | None,
        rate: RateVerdict | None,
        now: float,
    ) -> ResponseHead:
        services = self._services
        elapsed_ms = (services.clock.monotonic() - exchange.started_s) * 1000
        own_id, via = exchange.request_id, services.via
        head = self._edited(exchange, answer, head)
        return with_lines(head, proxy_lines(head.fields, answer.cache, own_id, elapsed_ms, rate, via=via, now=now), age)

    def _edited(self, exchange: Exchange, answer: Answer, head: ResponseHead) -> ResponseHead:
        """The head with what the route makes of its fields, and with who may read it where the proxy made it."""
        route, origin, fields = exchange.match.route, exchange.request.fields.joined.get("origin"), head.fields
        made_here = answer.refused is not None or (head.status >= 400 and head.status != answer.head.status)
        if not made_here:
            if answer.upstream_ms is not None and not answer.cache.collapsed:
                self._services.cors.note(route.name, origin, fields)
        elif origin is not None and ALLOW_ORIGIN not in fields.joined:
            fields = fields.added(*self._services.cors.lines(route.name, route.cors, origin))
        edited = route.response.apply(fields)
        return head if edited is head.fields else ResponseHead(head.status, head.reason, edited)
