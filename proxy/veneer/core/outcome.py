"""What became of a request, in words that reach the log, the metrics and Cache-Status (RFC 9211)."""

from __future__ import annotations

from enum import Enum
from typing import Final

from veneer.core.fields import Fields, Pair
from veneer.core.record import fast_struct


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


class Reason(Enum):
    """Why a request was refused, why a response was not stored, or why a stored one was not simply served.

    The values are the words of the `detail` parameter (RFC 9211 section 2.8), the log and the metrics.
    """

    # the request target cannot be understood in only one way (RFC 9112 section 3.2, RFC 3986)
    TARGET_EMPTY = "target-empty"
    TARGET_FORM = "target-form"
    TARGET_CONTROL = "target-control-byte"
    TARGET_PERCENT = "target-bad-percent-encoding"
    TARGET_ENCODED_SLASH = "target-encoded-slash"
    TARGET_BACKSLASH = "target-backslash"
    TARGET_DOT_SEGMENT = "target-dot-segment"
    TARGET_FRAGMENT = "target-fragment"
    HOST_MISSING = "host-missing"
    HOST_REPEATED = "host-repeated"
    HOST_INVALID = "host-invalid"

    # nothing is looked up or stored
    CACHE_OFF = "cache-off"
    METHOD = "method"

    # not stored (RFC 9111 section 3)
    STATUS_INTERIM = "interim-status"
    STATUS_NOT_MODIFIED = "not-modified"
    STATUS_ABOUT_REQUEST = "status-about-request"
    STATUS_NOT_UNDERSTOOD = "status-not-understood"
    REQUEST_NO_STORE = "request-no-store"
    NO_STORE = "no-store"
    PRIVATE = "private"
    AUTHORIZATION = "authorization"
    SET_COOKIE = "set-cookie"
    COOKIE = "cookie"
    NO_IDENTITY = "no-identity"
    VARY_STAR = "vary-star"
    NO_FRESHNESS = "no-freshness"
    NO_USE = "no-freshness-no-validator"
    POST_WITHOUT_LOCATION = "post-without-content-location"
    QUERY_WITHOUT_DIGEST = "query-without-digest"
    BAD_CONTENT_RANGE = "bad-content-range"
    RANGE_UNIT = "range-unit"
    TOO_LARGE = "too-large"
    TOO_MANY_TAGS = "too-many-tags"
    TRUNCATED = "truncated"

    # not simply served (RFC 9111 section 4)
    EXPIRED = "expired"
    SOFT_INVALIDATED = "soft-invalidated"
    NO_CACHE = "no-cache"
    REQUEST_NO_CACHE = "request-no-cache"
    REQUEST_MAX_AGE = "request-max-age"
    REQUEST_MIN_FRESH = "request-min-fresh"
    REQUEST_CONDITION = "request-condition"
    REQUEST_MAX_STALE = "request-max-stale"
    STALE_WHILE_REVALIDATE = "stale-while-revalidate"
    STALE_IF_ERROR = "stale-if-error"
    STALE_ON_OVERLOAD = "stale-on-overload"
    DISCONNECTED = "disconnected"
    ONLY_IF_CACHED = "only-if-cached"
    VALIDATOR_CHANGED = "validator-changed"

    # no content coding applied (RFC 9110 section 8.4)
    NO_TRANSFORM = "no-transform"
    ALREADY_CODED = "already-coded"
    NOT_ACCEPTED = "coding-not-accepted"
    TOO_SMALL = "too-small"
    MEDIA_TYPE = "media-type"
    NO_CONTENT = "no-content"
    RANGE = "range"


CACHE_STATUS: Final = frozenset({"cache-status"})


@fast_struct
class CacheStatus:
    """What this cache did with one request (RFC 9211 section 2). Either `hit` or `forward`; never both.

    `ttl_s` is the freshness left, negative when stale. `forward_status` is given only where the origin's status is not
    the one sent to the client.
    """

    hit: bool = False
    forward: Forward | None = None
    forward_status: int | None = None
    ttl_s: float | None = None
    stored: bool = False
    collapsed: bool = False
    key: str | None = None
    detail: str | None = None


def cache_status_line(fields: Fields, name: str, status: CacheStatus) -> Pair:
    """The whole Cache-Status of a response with `fields` (section 2): what they say, then this cache's member.

    `name` is this cache's, a structured-field token.
    """
    parts = [name]
    if status.hit:
        parts.append("hit")
    elif status.forward is not None:
        parts.append("fwd=" + status.forward._value_)  # `value` is a property that runs Python
        if status.forward_status is not None:
            parts.append(f"fwd-status={status.forward_status}")
    ttl_s = status.ttl_s
    if ttl_s is not None:
        parts.append(f"ttl={int(ttl_s // 1)}")
    if status.stored:
        parts.append("stored")
    if status.collapsed:
        parts.append("collapsed")
    key, detail = status.key, status.detail
    if key is not None:
        parts.append("key=" + _string(key))
    if detail is not None:
        parts.append("detail=" + (detail if _is_token(detail) else _string(detail)))
    before, own = fields.joined.get("cache-status"), "; ".join(parts)
    return "Cache-Status", f"{before}, {own}" if before else own


def _is_token(text: str) -> bool:
    """A structured-field token (RFC 9651 section 3.3.4), of the simple kind that reasons are."""
    return text[:1].isalpha() and text.isascii() and text.replace("-", "").isalnum()


def _string(text: str) -> str:
    """A structured-field string (RFC 9651 section 3.3.3); what it cannot hold becomes "?"."""
    shown = "".join(c if " " <= c <= "~" else "?" for c in text)
    return '"' + shown.replace("\\", "\\\\").replace('"', '\\"') + '"'
