"""The record of one exchange: what the log line says and the metrics count. The pipeline fills it, once, at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

import msgspec


class CacheResult(Enum):
    """What the cache did for a request: one word for the log and the metrics' label."""

    HIT = "hit"
    STALE = "stale"  # served past its freshness: stale-while-revalidate, stale-if-error
    REVALIDATED = "revalidated"  # the backend said 304
    COLLAPSED = "collapsed"  # shared somebody else's fetch
    MISS = "miss"
    BYPASS = "bypass"  # the route, the method or the request keeps the cache out of it
    NONE = "none"  # never looked: refused, or an answer of the proxy's own


HIT_RESULTS: Final[tuple[CacheResult, ...]] = (CacheResult.HIT, CacheResult.STALE, CacheResult.COLLAPSED)
"""What the hit rate counts as hits: what needed no request of its own to a backend."""
_ASKED_RESULTS: Final[tuple[CacheResult, ...]] = (CacheResult.MISS, CacheResult.REVALIDATED)


def hits_of(counted: Mapping[str, int]) -> tuple[int, int]:
    """The hits among exchanges that are counted by result, and all those that the hit rate is a share of."""
    hits = sum([counted.get(result.value, 0) for result in HIT_RESULTS])
    return hits, hits + sum([counted.get(result.value, 0) for result in _ASKED_RESULTS])


class Refusal(Enum):
    """Why the proxy answered with an error of its own instead of asking the backend."""

    MALFORMED = "malformed"
    HEAD_TOO_LARGE = "head-too-large"
    BODY_TOO_LARGE = "body-too-large"
    SLOW = "slow"  # a head or a body that did not come in time
    LOOP = "loop"  # a request that this process has sent on already
    RATE = "rate"
    LOAD = "load"
    STREAMS = "streams"  # as many tunnels and event streams are open as may be
    UPSTREAM = "upstream"
    ONLY_IF_CACHED = "only-if-cached"
    LOG_LOST = "log-lost"  # a write that other nodes could not be told of
    INTERNAL = "internal"


class TunnelEnd(Enum):
    """Why a tunnel ended."""

    CLIENT = "client"  # the client ended or is gone
    BACKEND = "backend"  # the backend ended or is gone
    SILENT = "silent"  # nothing came from either side for too long
    DRAIN = "drain"  # the proxy stops


# A Struct, not a dataclass: one is made for every request, and it encodes itself.
class ExchangeRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One exchange as it ended. Texts are Latin-1 as they came; defaults are left out of the log line.

    `time` is when the request's head was whole, in seconds since the epoch. `bytes_in` and `bytes_out` count body
    bytes as they crossed the client's wire (after content coding), `bytes_identity` what `bytes_out` was before this
    proxy coded it (0 when it did not). `upstream_ms` is None when the backend was not asked. `cache_forward` and
    `cache_reason` are the words of Cache-Status. `error` says in one line what went wrong, also where the client saw
    only a cut connection. `end` tells why a tunnel ended; `bytes_in` and `bytes_out` are then what crossed it from
    client and backend. `span_id` is this exchange's own where the proxy traces, else that of the client; `parent_id`
    is set only where the proxy traces. `identity` are the proven values by which the route shares, or that it names
    elsewhere: what stands for each, where the policy does not let it be read. `scheme` is that of the request's URL:
    "https" over TLS. `target` is which of several has
    answered, and `attempts` how many were asked, where that was more than one.
    """

    time: float
    request_id: str
    client: str
    method: str
    path: str
    status: int
    duration_ms: float
    query: str | None = None
    route: str = ""
    bytes_in: int = 0
    bytes_out: int = 0
    bytes_identity: int = 0
    upstream_ms: float | None = None
    cache: CacheResult = CacheResult.NONE
    cache_forward: str = ""
    cache_reason: str = ""
    coding: str = ""
    rate_remaining: int | None = None
    refused: Refusal | None = None
    end: TunnelEnd | None = None
    error: str = ""
    user_agent: str = ""
    identity: dict[str, str] | None = None
    scheme: str = "http"
    target: str = ""
    attempts: int = 0
    trace_id: str = ""
    span_id: str = ""
    parent_id: str = ""
    sampled: bool = False


@dataclass(frozen=True, slots=True)
class Audit:
    """A stored response that was compared with a fresh one. `differs` without an invalidation that explains it."""

    route: str
    differs: bool


class Recorder(Protocol):
    """Where exchanges are recorded. No call blocks or raises."""

    def begin(self) -> None:
        """An exchange has begun: it counts as active until `finish`."""
        ...

    def finish(self, record: ExchangeRecord) -> None:
        """It has ended, on whatever path. Exactly one call for each `begin`."""
        ...

    def audited(self, audit: Audit) -> None:
        """A hit was compared with a fresh response."""
        ...
