"""What is recorded of an exchange at its end."""

from __future__ import annotations

from veneer.core.identity import pseudonym
from veneer.core.rate import RateVerdict
from veneer.core.record import fast_struct
from veneer.core.redact import redacted
from veneer.pipeline.answer import Answer
from veneer.pipeline.context import Exchange
from veneer.pipeline.exchange import CacheResult, ExchangeRecord
from veneer.pipeline.tunnel import Passed
from veneer.policy.model import Match, Policy


@fast_struct
class SentResponse:
    """What left for the client."""

    status: int
    coding: str = ""
    identity_bytes: int = 0
    passed: Passed | None = None


def record_of(
    exchange: Exchange,
    answer: Answer | None,
    replied: SentResponse,
    rate: RateVerdict | None,
    error: str,
    duration_ms: float,
) -> ExchangeRecord:
    """The record of an exchange that took `duration_ms`; `answer` None where there was none."""
    request, client, trace = exchange.request, exchange.client, exchange.trace
    passed = replied.passed
    cache = None if answer is None else answer.cache
    forward = None if cache is None else cache.forward
    sent_to = None if answer is None else answer.sent_to
    return ExchangeRecord(
        time=exchange.received,
        request_id=exchange.request_id,
        client=exchange.client_ip,
        method=request.method,
        path=request.path,
        query=None if request.query is None else redacted(request.query),
        route=exchange.match.route.name,
        status=replied.status or (0 if answer is None else answer.head.status),
        duration_ms=duration_ms,
        bytes_in=client.bytes_in if passed is None else passed.from_client,
        bytes_out=client.bytes_out if passed is None else passed.from_backend,
        bytes_identity=replied.identity_bytes,
        upstream_ms=None if answer is None else answer.upstream_ms,
        cache=CacheResult.NONE if answer is None else answer.use,
        cache_forward="" if forward is None else forward._value_,  # `value` runs Python
        cache_reason=("" if cache is None else cache.detail) or "",
        coding=replied.coding,
        rate_remaining=None if rate is None else rate.remaining,
        refused=None if answer is None else answer.refused,
        end=None if passed is None else passed.end,
        error=error or ("" if answer is None else answer.error),
        user_agent=request.fields.joined.get("user-agent", ""),
        identity=None if exchange.match.identity is None else logged_identity(exchange.policy, exchange.match),
        scheme=request.scheme,
        target="" if sent_to is None else sent_to.target,
        attempts=0 if sent_to is None or sent_to.attempts < 2 else sent_to.attempts,
        trace_id="" if trace is None else trace.trace_id,
        span_id="" if trace is None else trace.span_id,
        parent_id=exchange.trace_parent_id,
        sampled=trace is not None and trace.sampled,
    )


def logged_identity(policy: Policy, match: Match) -> dict[str, str] | None:
    """What the log tells of who asks; None where nothing is proven that makes a difference to the route."""
    route, known = match.route, match.identity or {}
    found: dict[str, str] = {}
    for name in route.cache.shared_by or sorted(route.identity_names):
        value = known.get("identity." + name)
        if value is not None:
            found[name] = value if _may_be_read(policy, name) else pseudonym(name, value)
    return found or None


def _may_be_read(policy: Policy, name: str) -> bool:
    return any(name in identity.logged for identity in policy.identities)
