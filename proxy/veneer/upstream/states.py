"""What is known of the backends of an upstream, for who watches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from veneer.upstream.health import BreakerGuard, CheckedPool
from veneer.upstream.open import targets_of
from veneer.upstream.opened import OpenUpstream

_GIVEN_REQUESTS = frozenset({"up", "unknown"})


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
    well = any(state in _GIVEN_REQUESTS for _, state in _watched(upstream, ""))
    return UpstreamCondition(well and breaker != "open", breaker)


def states_of(upstream: OpenUpstream, url: str) -> Sequence[tuple[str, str]]:
    """Each backend with its state: "up", "down", "ejected", "resting", "draining".

    "breaker open" where a breaker keeps requests from all of them; "unknown" of one that nothing watches. One alone is
    called by the upstream's `url`, several as in the log and in metrics: a name may stand for any number of them.
    """
    if isinstance(upstream, BreakerGuard) and upstream.is_open:
        return [(name, "breaker open") for name, _ in _watched(upstream, url)]
    return _watched(upstream, url)


def _watched(upstream: OpenUpstream, url: str) -> list[tuple[str, str]]:
    several = targets_of(upstream)
    if several is not None:
        return [(str(target), target.state) for target in several.targets]
    guarded = upstream.guarded if isinstance(upstream, BreakerGuard) else upstream
    if isinstance(guarded, CheckedPool):
        return [(url, "up" if guarded.healthy else "down")]
    return [(url, "up" if isinstance(upstream, BreakerGuard) else "unknown")]
