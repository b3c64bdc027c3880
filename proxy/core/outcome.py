"""What became of a request, in words that reach the log, the metrics and Cache-Status (RFC 9211)."""

from __future__ import annotations

from enum import Enum


class Forward(Enum):
    """Why a request was sent on: the values of the `fwd` parameter (RFC 9211 section 2.2)."""

    BYPASS = "bypass"
    METHOD = "method"
    URI_MISS = "uri-miss"
    VARY_MISS = "vary-miss"
    MISS = "miss"
    REQUEST = "request"
    STALE = "stale"
    PARTIAL = "partial"
