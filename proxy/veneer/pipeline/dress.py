"""What every response of this proxy carries."""

from __future__ import annotations

from typing import Final

from veneer.core.fields import Fields, Pair
from veneer.core.forwarding import VIA, via_and_date
from veneer.core.messages import ResponseHead
from veneer.core.outcome import CACHE_STATUS, CacheStatus, cache_status_line
from veneer.core.rate import RateVerdict, limit_field

CACHE_NAME: Final = "Veneer"
"""This cache's name in Cache-Status (RFC 9211 section 2)."""

OWN_FIELDS: Final = frozenset({"x-cache-invalidate", "x-request-id", "x-response-time"})
"""Fields that the backend sends for this proxy, or that this proxy speaks for itself."""

_REPLACED: Final = OWN_FIELDS | CACHE_STATUS | VIA
_REPLACED_WITH_AGE: Final = _REPLACED | {"age"}


def proxy_lines(
    fields: Fields,
    cache: CacheStatus,
    request_id: str,
    elapsed_ms: float,
    rate: RateVerdict | None,
    *,
    via: str,
    now: float,
) -> tuple[Pair, ...]:
    """What every response with `fields` gets on its way to the client.

    What every response to a client has (core.forwarding.to_client), and behind that Cache-Status, request ID, response
    time and rate limit, in this order.
    """
    told = cache_status_line(fields, CACHE_NAME, cache)
    took = ("X-Response-Time", millis(int(elapsed_ms * 1000 + 0.5)))
    own = (*via_and_date(fields, via=via, now=now), told, ("X-Request-ID", request_id), took)
    if rate is None:
        return own
    return *own, ("RateLimit-Policy", rate.limit.policy_text), ("RateLimit", limit_field(rate))


def with_lines(head: ResponseHead, lines: tuple[Pair, ...], age: Pair | None = None) -> ResponseHead:
    """The head with `proxy_lines` in place of what they replace, and `age`, where it is given, in place of its own."""
    if age is None:
        return ResponseHead(head.status, head.reason, head.fields.changed(_REPLACED, lines))
    return ResponseHead(head.status, head.reason, head.fields.changed(_REPLACED_WITH_AGE, (age, *lines)))


def millis(elapsed_us: int) -> str:
    """Milliseconds with three decimals; a format would cost three times as much."""
    return f"{elapsed_us // 1000}.{str(1000 + elapsed_us % 1000)[1:]}ms"
