"""What every response of this proxy carries."""

from __future__ import annotations

from proxy.core.fields import Pair
from proxy.core.messages import ResponseHead
from proxy.core.outcome import CacheStatus, append_cache_status
from proxy.core.rate import RateVerdict, limit_field, policy_field

CACHE_NAME = "Veneer"
"""This cache's name in Cache-Status (RFC 9211 section 2)."""

OWN_FIELDS = frozenset({"x-cache-invalidate", "x-request-id", "x-response-time"})
"""Fields that the backend sends for this proxy, or that this proxy speaks for itself."""


def dress(
    head: ResponseHead, cache: CacheStatus, request_id: str, elapsed_ms: float, rate: RateVerdict | None
) -> ResponseHead:
    """The head with Cache-Status, request ID, response time and rate limit, in this order, at its end."""
    own: list[Pair] = [("X-Request-ID", request_id), ("X-Response-Time", f"{elapsed_ms:.3f}ms")]
    if rate is not None:
        own += [("RateLimit-Policy", policy_field(rate.limit)), ("RateLimit", limit_field(rate))]
    shown = append_cache_status(head.fields.without(OWN_FIELDS), CACHE_NAME, cache, *own)
    return ResponseHead(head.status, head.reason, shown)
