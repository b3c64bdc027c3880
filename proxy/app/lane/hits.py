"""The hit lane: repeats what the pipeline answered, as long as nothing that mattered has changed."""

from __future__ import annotations

import weakref
from typing import NamedTuple

from proxy.app.lane.scan import Head, Scanner
from proxy.app.lane.spots import MAX_FORMS, Form, Spot, Wishes, form_of
from proxy.app.request_ids import RequestIds
from proxy.app.server.wire import BodyFraming, framing_of, serialise
from proxy.app.server.wire import Exchange as WireExchange
from proxy.core.forwarding import to_client
from proxy.core.invalidation import Validity
from proxy.core.messages import ResponseHead
from proxy.core.rate import RateVerdict, limit_field, policy_field
from proxy.pipeline.admit import refused_by_rate
from proxy.pipeline.answer import BytesBody
from proxy.pipeline.context import Exchange, ServedHit, Services
from proxy.pipeline.dress import CACHE_NAME, dress
from proxy.pipeline.exchange import CacheUse, ExchangeRecord, Refusal
from proxy.policy.model import Policy, RateKeyKind
from proxy.policy.watch import PolicySource
from proxy.ports import Standing

MAX_SPOTS = 1 << 17
"""Targets remembered; the oldest is forgotten first. A spot holds no body."""

LEARNT_STATUSES = frozenset({200, 304})
COUNTED_TOGETHER = frozenset({RateKeyKind.CLIENT_IP, RateKeyKind.ROUTE, RateKeyKind.GLOBAL})
"""Rate keys that do not depend on the request's fields."""


class Seen(NamedTuple):
    """A request that the lane is going to answer: its head, its place, who sent it, and when it came (monotonic)."""

    head: Head
    spot: Spot
    address: str
    started_s: float


class HitLane:
    """Implements the pipeline's `HitMemory`, and answers heads from what it learned.

    What is checked for each hit: the policy in force, the entry still in memory under its key, its freshness, the
    lease, the invalidation log, and the rate limit. What is not checked is what cannot have changed: the same entry
    and the same wishes have the same head.
    """

    def __init__(self, services: Services, policies: PolicySource, ids: RequestIds) -> None:
        self._services = services
        self._policies = policies
        self._ids = ids
        self._policy: Policy = policies.current
        self._scanner = Scanner()
        self._spots: dict[tuple[str, str], Spot] = {}

    def __len__(self) -> int:
        return len(self._spots)

    def answer(self, data: bytes, address: str) -> bytes | None:
        """The whole response to the request in `data`; None when it has to take the normal way. Counts and records."""
        started_s = self._services.clock.monotonic()
        head = self._scanner.scan(data)
        spot = None if head is None else self._spots.get((head.host, head.target))
        if head is None or spot is None or started_s >= spot.fresh_until or self._policies.current is not self._policy:
            return None
        form = spot.forms.get((head.method, head.accept_encoding, head.if_none_match, head.if_modified_since))
        identity_bytes, body = (0, None) if form is None else self._body(spot, form)
        if form is None or body is None:
            return None
        seen = Seen(head, spot, address, started_s)
        if spot.limit is None:
            return self._serve(seen, form, body, identity_bytes, None)
        rate = self._services.rates.admit_now(spot.counted_as or address, spot.limit)
        if rate is None:
            return None
        return self._serve(seen, form, body, identity_bytes, rate) if rate.allowed else self._refuse(seen, rate)

    def _body(self, spot: Spot, form: Form) -> tuple[int, bytes | None]:
        """The body that goes with the form, and its length uncoded where it is coded.

        None unless the spot's entry is the one that the store would give and nothing has invalidated it.
        """
        services = self._services
        entries = services.store.peek(spot.key)
        if not entries or len(entries) != 1 or spot.entry() is not entries[0]:
            return 0, None
        entry = entries[0]
        if services.log.standing() is not Standing.LEADING or services.log.validity(entry) is not Validity.VALID:
            return 0, None
        if form.coding is None:
            return 0, b""
        if not form.coding:
            return 0, entry.body
        for kept in entry.coded:
            if kept.coding == form.coding:
                return len(entry.body), kept.body
        return 0, None

    def _serve(self, seen: Seen, form: Form, body: bytes, identity_bytes: int, rate: RateVerdict | None) -> bytes:
        now_s, spot = seen.started_s, seen.spot
        request_id = self._ids.of(seen.head.request_id)
        elapsed_ms = (self._services.clock.monotonic() - now_s) * 1000
        text = (
            f"{form.before_age}{round(now_s - spot.aged_from)}{form.after_age}"
            f"Cache-Status: {CACHE_NAME}; hit; ttl={int(spot.fresh_until - now_s)}\r\n"
            f"X-Request-ID: {request_id}\r\nX-Response-Time: {elapsed_ms:.3f}ms\r\n"
            f"{'' if rate is None else _limit_lines(rate)}{form.tail}"
        )
        path, question, query = seen.head.target.partition("?")
        self._record(
            ExchangeRecord(
                time=self._services.clock.now(),
                request_id=request_id,
                client=seen.address,
                method=seen.head.method,
                path=path,
                query=query if question else None,
                route=spot.route,
                status=form.status,
                duration_ms=elapsed_ms,
                bytes_out=len(body),
                bytes_identity=identity_bytes,
                cache=CacheUse.HIT,
                coding=form.coding or "",
                rate_remaining=None if rate is None else rate.remaining,
                user_agent=seen.head.user_agent or "",
            )
        )
        return text.encode("latin-1") + body

    def _refuse(self, seen: Seen, rate: RateVerdict) -> bytes:
        clock, head = self._services.clock, seen.head
        request_id = self._ids.of(head.request_id)
        answer = refused_by_rate(head.target, request_id, rate)
        assert isinstance(answer.body, BytesBody)
        fields = to_client(answer.head.fields, via=self._services.via, now=clock.now())
        elapsed_ms = (clock.monotonic() - seen.started_s) * 1000
        shown = dress(ResponseHead(429, answer.head.reason, fields), answer.cache, request_id, elapsed_ms, rate)
        wire, data = WireExchange(head.method, (1, 1), keep_alive=True), answer.body.data
        framing = framing_of(wire, 429, len(data))
        body = data if framing is BodyFraming.LENGTH else b""
        path, question, query = head.target.partition("?")
        self._record(
            ExchangeRecord(
                time=clock.now(),
                request_id=request_id,
                client=seen.address,
                method=head.method,
                path=path,
                query=query if question else None,
                route=seen.spot.route,
                status=429,
                duration_ms=elapsed_ms,
                bytes_out=len(body),
                rate_remaining=rate.remaining,
                refused=Refusal.RATE,
                user_agent=head.user_agent or "",
            )
        )
        return serialise(shown, wire, framing, len(data)) + body

    def _record(self, record: ExchangeRecord) -> None:
        self._services.recorder.begin()
        self._services.recorder.finish(record)

    # ------------------------------------------------------------ learning

    def learn(self, exchange: Exchange, served: ServedHit) -> None:
        """Remember a hit whose answer depends on nothing but the target and the wishes that are looked at here."""
        if not self._may_learn(exchange, served):
            return
        if self._policies.current is not self._policy:
            self._policy = self._policies.current
            self._spots.clear()
        if exchange.policy is not self._policy:
            return
        request, fields = exchange.request, exchange.request.fields
        wire = WireExchange(request.method, (1, 1), keep_alive=True)
        framing = framing_of(wire, served.head.status, served.length)
        form = form_of(served.head.status, serialise(served.head, wire, framing, served.length), served.coding)
        spot = self._spot(exchange, served)
        if form is None or len(spot.forms) >= MAX_FORMS:
            return
        wishes: Wishes = (
            request.method,
            fields.get("accept-encoding"),
            fields.get("if-none-match"),
            fields.get("if-modified-since"),
        )
        spot.forms[wishes] = form

    def _may_learn(self, exchange: Exchange, served: ServedHit) -> bool:
        route, entry = exchange.route, served.entry
        rule = route.rate_limit
        return (
            served.head.status in LEARNT_STATUSES
            and entry.status == 200
            and entry.span is None
            and exchange.request.method in {"GET", "HEAD"}
            and not exchange.policy.trusted_proxies
            and not route.cache.key.headers
            and not route.audit_share
            and all(name == "accept-encoding" and route.compress.enabled for name, _ in entry.vary)
            and (rule is None or rule.key.kind in COUNTED_TOGETHER)
            and not ({"cache-control", "pragma", "range"} & set(exchange.request.fields.names()))
        )

    def _spot(self, exchange: Exchange, served: ServedHit) -> Spot:
        """The target's spot; a new one when another entry answers it now."""
        place = (exchange.request.authority, exchange.request.target)
        spot = self._spots.get(place)
        if spot is not None and spot.entry() is served.entry:
            return spot
        now_s = self._services.clock.monotonic()
        rule = exchange.route.rate_limit
        together = {RateKeyKind.ROUTE: f"route:{exchange.route.name}", RateKeyKind.GLOBAL: "global"}
        spot = Spot(
            key=served.key,
            route=exchange.route.name,
            entry=weakref.ref(served.entry),
            aged_from=now_s - served.age_s,
            fresh_until=now_s + served.ttl_s,
            limit=None if rule is None else rule.limit,
            counted_as=None if rule is None else together.get(rule.key.kind),
        )
        self._spots.pop(place, None)
        if len(self._spots) >= MAX_SPOTS:
            del self._spots[next(iter(self._spots))]
        self._spots[place] = spot
        return spot


def _limit_lines(rate: RateVerdict) -> str:
    return f"RateLimit-Policy: {policy_field(rate.limit)}\r\nRateLimit: {limit_field(rate)}\r\n"
