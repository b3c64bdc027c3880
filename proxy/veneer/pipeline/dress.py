"""What every response of this proxy carries."""

from __future__ import annotations

from typing import Final

from veneer.core.fields import Fields, Pair
from veneer.core.forwarding import VIA, via_and_date
from veneer.core.messages import ResponseHead
from veneer.core.outcome import CACHE_STATUS, CacheStatus, cache_status_line
from veneer.core.rate import RateVerdict, limit_field, policy_field

CACHE_NAME: Final = "Veneer"
"""This cache's name in Cache-Status (RFC 9211 section 2)."""

OWN_FIELDS: Final = frozenset({"x-cache-invalidate", "x-request-id", "x-response-time"})
"""Fields that the backend sends for this proxy, or that this proxy speaks for itself."""


_REPLACED: Final = OWN_FIELDS | CACHE_STATUS | VIA


def add_proxy_fields(
    head: ResponseHead,
    cache: CacheStatus,
    request_id: str,
    elapsed_ms: float,
    rate: RateVerdict | None,
    *,
    via: str,
    now: float,
) -> ResponseHead:
    """The head as a client gets it.

    It has what every response to a client has (core.forwarding.to_client), and behind that Cache-Status, request ID,
    response time and rate limit, in this order.
    """
    fields = head.fields
    own = via_and_date(fields, via=via, now=now) + _own(fields, cache, request_id, elapsed_ms, rate)
    return ResponseHead(head.status, head.reason, fields.changed(_REPLACED, own))


def _own(
    fields: Fields, cache: CacheStatus, request_id: str, elapsed_ms: float, rate: RateVerdict | None
) -> tuple[Pair, ...]:
    told = cache_status_line(fields, CACHE_NAME, cache)
    own_id, took = ("X-Request-ID", request_id), ("X-Response-Time", millis(int(elapsed_ms * 1000 + 0.5)))
    if rate is None:
        return told, own_id, took
    return told, own_id, took, ("RateLimit-Policy", policy_field(rate.limit)), ("RateLimit", limit_field(rate))


def millis(elapsed_us: int) -> str:
    """Milliseconds with three decimals; a format would cost three times as much."""
    return f"{elapsed_us // 1000}.{str(1000 + elapsed_us % 1000)[1:]}ms"
