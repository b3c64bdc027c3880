"""Rate arithmetic: GCRA (ITU-T I.371), the exact form of a token bucket with one number of state."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`quota` requests in `window_s` seconds, of which `burst` may come at once (burst >= 1)."""

    name: str
    quota: int
    window_s: float
    burst: int


@dataclass(frozen=True, slots=True)
class RateVerdict:
    """The answer for one request. `remaining` more may come now; `reset_s` until the quota is whole again."""

    limit: RateLimit
    allowed: bool
    remaining: int
    retry_after_s: float
    reset_s: float
