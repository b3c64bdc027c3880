"""May this request go on: rate, load and size."""

from __future__ import annotations

from dataclasses import replace

from veneer.core.fields import Fields
from veneer.core.forwarding import passed_before
from veneer.core.identity import pseudonym
from veneer.core.outcome import CacheStatus
from veneer.core.problem import QUOTA_EXCEEDED, Problem
from veneer.core.rate import RateVerdict, client_key, client_network, retry_after_field, tighter
from veneer.pipeline.answer import Answer
from veneer.pipeline.context import Exchange, Services
from veneer.pipeline.exchange import Refusal
from veneer.pipeline.refuse import problem_answer, refuse
from veneer.policy.model import Match
from veneer.policy.model_rates import RateKey, RateKeyKind, RateRule
from veneer.ports import BodyError, BodyTooLargeError, BodyTooSlowError


def client_counted(rule: RateRule, match: Match, fields: Fields, client_ip: str) -> str:
    """The name under which a request is counted. Of a key with several parts each is preceded by its length."""
    shared = rule.shared_client(match.route.name)
    if shared is not None:
        return shared
    network = client_network(client_ip, rule.limit.ipv6_bits)
    if not rule.further:
        return _part_of_key(rule.key, match, fields, network)
    parts = [_part_of_key(key, match, fields, network) for key in rule.keys]
    return "".join([f"{len(part)}:{part}" for part in parts])


def _part_of_key(key: RateKey, matched: Match, fields: Fields, network: str) -> str:
    """What one part of a limit's key is for this request of a client in a network."""
    named = None
    match key.kind:
        case RateKeyKind.ROUTE:
            return matched.route.name
        case RateKeyKind.HEADER:
            named = fields.get(key.name or "")
        case RateKeyKind.IDENTITY:
            named = _identity(matched, key.name or "")
        case RateKeyKind.AUTHORIZATION:
            named = fields.get("authorization")
        case _:
            return network
    return named or f"ip:{network}"


def _identity(match: Match, name: str) -> str | None:
    """What stands for a proven identity; None where it is not proven."""
    value = (match.identity or {}).get("identity." + name)
    return None if value is None else f"identity:{pseudonym(name, value)}"


async def count(services: Services, exchange: Exchange) -> RateVerdict | None:
    """Count the request against the limits of its route; the verdict is that of the tightest.

    All must admit. Where a refusal is known beforehand nothing is counted; with Redis it is once the first request has
    met it.
    """
    match, fields, client_ip = exchange.match, exchange.request.fields, exchange.client_ip
    limits, rates = match.route.limits, services.rates
    if len(limits) > 1:
        now_s = services.clock.monotonic()
        for rule in limits:
            client = client_counted(rule, match, fields, client_ip)
            refusal = rates.refusal_now(client_key(rule.limit, client), rule.limit, now_s)
            if refusal is not None:
                return refusal
    verdict: RateVerdict | None = None
    for rule in limits:
        client, limit = client_counted(rule, match, fields, client_ip), rule.limit
        at_once = rates.admit_now(client_key(limit, client), limit, services.clock.monotonic())
        one = at_once or await rates.admit(client, limit)
        verdict = one if verdict is None else tighter(verdict, one)
        if not one.allowed:
            break
    return verdict


def refused_by_rate(target: str, request_id: str, rate: RateVerdict) -> Answer:
    """429 with Retry-After (RFC 6585 section 4) for a request of `target`."""
    limit = rate.limit
    problem = Problem(
        status=429,
        detail=f"more than {limit.quota} requests in {limit.window_s:g} s; try again in {retry_after_field(rate)} s",
        type=QUOTA_EXCEEDED,
        title="Too Many Requests",
        instance=target,
        request_id=request_id,
        violated_policies=(limit.name,),
    )
    answer = problem_answer(problem, Refusal.RATE, CacheStatus(), ("Retry-After", retry_after_field(rate)))
    return replace(answer, error="")


def refused_by_load(services: Services, exchange: Exchange) -> Answer:
    """503 with Retry-After: as many exchanges go on as may (RFC 9110 section 15.6.4)."""
    again_s = services.in_flight.retry_s(services.clock.monotonic())
    detail = "the proxy is handling as many requests as it may; try again in a moment"
    status = CacheStatus(detail=Refusal.LOAD.value)
    return refuse(exchange, 503, detail, Refusal.LOAD, status, ("Retry-After", f"{again_s:.0f}"))


def refused_by_head(services: Services, exchange: Exchange) -> Answer | None:
    """508 for a request that has passed this process before (RFC 9110 section 7.6.3; the status is RFC 5842's).

    413 for a body announced as too large (RFC 9110 section 15.5.14).
    """
    asked = exchange.request.fields.joined
    if "via" in asked and passed_before(exchange.request.fields, services.instance):
        detail = "the request has come back to this proxy: the upstream of its route leads here"
        return refuse(exchange, 508, detail, Refusal.LOOP)
    announced = asked.get("content-length")
    if announced is None or not announced.isdecimal():
        return None
    limit_bytes = body_limit(exchange)
    return too_large(exchange, limit_bytes) if int(announced) > limit_bytes else None


def too_large(exchange: Exchange, limit_bytes: int) -> Answer:
    """413 that says what would be right."""
    return refuse(exchange, 413, f"the request body may have at most {limit_bytes} bytes", Refusal.BODY_TOO_LARGE)


def refused_by_body(exchange: Exchange, error: BodyError) -> Answer:
    """413, 408 or 400 for a body that turned out to be too large, came too slowly, or has no certain end."""
    if isinstance(error, BodyTooLargeError):
        return too_large(exchange, error.limit_bytes)
    if isinstance(error, BodyTooSlowError):
        return refuse(exchange, 408, str(error), Refusal.SLOW)
    return refuse(exchange, 400, str(error), Refusal.MALFORMED)


def body_limit(exchange: Exchange) -> int:
    """The most bytes that the request's body may have."""
    own = exchange.match.route.body_bytes
    return exchange.policy.limits.body_bytes if own is None else own
