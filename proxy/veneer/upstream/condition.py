"""Whether an upstream is given requests, for who watches it."""

from __future__ import annotations

from dataclasses import dataclass

from veneer.upstream.health import BreakerGuard, CheckedPool
from veneer.upstream.opened import OpenUpstream
from veneer.upstream.targets import TargetSet


@dataclass(frozen=True, slots=True)
class UpstreamCondition:
    """`up` while requests are sent there: its breaker is not open, and its checks, or those of a target, find it well.

    `breaker` is "closed", "open" or "half-open", and empty where there is none.
    """

    up: bool
    breaker: str = ""


def condition_of(upstream: OpenUpstream) -> UpstreamCondition:
    """How an upstream stands now."""
    breaker = upstream.state if isinstance(upstream, BreakerGuard) else ""
    guarded = upstream.guarded if isinstance(upstream, BreakerGuard) else upstream
    well = True
    if isinstance(guarded, CheckedPool):
        well = guarded.healthy
    elif isinstance(guarded, TargetSet):
        well = any(target.state == "up" for target in guarded.targets)
    return UpstreamCondition(well and breaker != "open", breaker)
